"""What each scenario of a comparison showed, in one line for each gateway."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from testbed.compare.differences import RunResult, by_scenario, joined, words
from testbed.registry import load
from testbed.run.naming import label

CANNOT = "cannot run"


def showed(runs: Iterable[RunResult]) -> list[dict[str, Any]]:
    """Return a row for each scenario: its question, its claim, and what it showed by gateway."""
    rows = []
    for name, group in by_scenario(runs).items():
        cls = load("scenario", name)
        lines = {run["gateway"]: line(run) for run in group}
        rows.append({"scenario": name, "question": cls.question(), "claim": cls.claim, "showed": lines})
    return rows


def line(run: RunResult) -> str:
    """Return what a run showed: what failed first, and else what became of the attempts."""
    if run["verdict"] == "cannot":
        return CANNOT
    if run["verdict"] == "error":
        return f"broke: {run.get('error') or 'no check was made'}"
    counts = [f"{count:,} {name}" for name, count in run.get("outcomes", {}).items() if count]
    failed = [
        f"{check['claim']} (expected: {words(check['expected'])}, observed: {words(check['observed'])})"
        for check in run.get("checks", ())
        if not check["ok"]
    ]
    return "; ".join([*(f"FAILED: {each}" for each in failed), ", ".join(counts) or "no attempts"])


def together(lines: dict[str, str]) -> dict[str, str]:
    """Return each line once, by the names of its gateways. Those that cannot run come last."""
    gateways = defaultdict(list)
    for gateway, text in sorted(lines.items(), key=lambda each: each[1] == CANNOT):
        gateways[text].append(label(gateway))
    if len(gateways) == 1 < len(lines):
        return {"every gateway": next(iter(gateways))}
    return {joined(names): text for text, names in gateways.items()}


def without_advice(reason: str) -> str:
    """Return a refusal without what to do about it, which is for the user of a single run."""
    return reason.partition("; take ")[0]
