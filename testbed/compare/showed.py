"""What each scenario of a comparison showed, in one line for each gateway."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from controller.settings import ConfigurationError
from testbed.compare.differences import RunResult, by_scenario, joined, words
from testbed.registry import load
from testbed.run.naming import label, subject
from testbed.run.strangers import are_met, declared, files_among

CANNOT = "cannot run"


def showed(runs: Iterable[RunResult]) -> list[dict[str, Any]]:
    """Return a row for each scenario: its question, its claim, and what it showed by gateway."""
    rows = []
    for name, group in by_scenario(runs).items():
        question, claim = _asked(name)
        lines = {subject(run): line(run) for run in group}
        rows.append({"scenario": name, "question": question, "claim": claim, "showed": lines})
    return rows


def _asked(name: str) -> tuple[str, str]:
    """Return a scenario's question and claim; none of a file that has been changed or removed since it ran."""

    def work() -> tuple[str, str]:
        cls = load("scenario", name)
        return cls.question(), cls.claim

    files = files_among([name])
    if not are_met(files):
        return work()
    try:
        question, claim = declared(files, work, about=name)
    except ConfigurationError:
        return "", ""
    return question, claim


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
