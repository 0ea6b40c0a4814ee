"""The differences between the runs of one scenario on several gateways: rows to set side by side, and sentences.

Results are as in `results.json`. If a gateway cannot run a scenario, its entry has the verdict `cannot` and a
reason. Checks are matched by their keys, since the words of a claim may depend on what a gateway declares. Two
checks that hold against the same expectation do not differ, even if a measured time does. A run that broke is not
compared, since it ended early.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.experiment.stories import told

RunResult = Mapping[str, Any]
DIFFERENCE = Path(__file__).with_name("templates") / "difference.j2"


def label(gateway: str) -> str:
    """Return a short name: a registered name as it is, the name of a file without its folder."""
    path, colon, cls = gateway.partition(":")
    return Path(path).stem + colon + cls


def by_scenario(runs: Iterable[RunResult]) -> dict[str, list[RunResult]]:
    """Return the runs by their scenarios."""
    parted = defaultdict(list)
    for run in runs:
        parted[run["scenario"]].append(run)
    return dict(parted)


def checks(run: RunResult) -> dict[str, dict[str, Any]]:
    """Return the checks of a run by their keys."""
    return {check["key"]: check for check in run.get("checks", ())}


def claims(runs: Iterable[RunResult]) -> dict[str, str]:
    """Return the claim for each key that occurs; where runs word it in several ways, the words of the key."""
    found: dict[str, str] = {}
    for run in runs:
        for key, check in checks(run).items():
            worded = found.setdefault(key, check["claim"])
            if worded != check["claim"]:
                found[key] = key.replace("-", " ")
    return found


def outcomes(runs: Sequence[RunResult]) -> list[str]:
    """Return the outcomes that at least one attempt had in one of these runs."""
    names = dict.fromkeys(name for run in runs for name in run.get("outcomes", ()))
    return [name for name in names if any(run.get("outcomes", {}).get(name) for run in runs)]


def differences(runs: Iterable[RunResult]) -> list[dict[str, Any]]:
    """Return every difference between the runs of each scenario."""
    return [found for group in by_scenario(runs).values() for found in _of_one(group)]


def _of_one(group: list[RunResult]) -> Iterable[dict[str, Any]]:
    verdicts = {run["gateway"]: run["verdict"] for run in group}
    if len(set(verdicts.values())) > 1:
        yield _difference(group, "verdict", verdicts, verdicts, "verdict")
    ended = [run for run in group if run["verdict"] in ("pass", "fail")]
    if len(ended) < 2:
        return
    for name in outcomes(ended):
        counts = {run["gateway"]: run["outcomes"].get(name, 0) for run in ended}
        if len(set(counts.values())) > 1:
            yield _difference(ended, name, counts, counts, "outcome")
    for key, claim in claims(ended).items():
        found = {run["gateway"]: checks(run).get(key) for run in ended}
        meanings = {gateway: _meaning(check) for gateway, check in found.items()}
        if len(set(meanings.values())) > 1:
            observed = {gateway: check["observed"] for gateway, check in found.items() if check}
            yield _difference(ended, claim, observed, meanings, "check")


def _meaning(check: dict[str, Any] | None) -> str:
    """Return what a check showed, as words that are equal exactly where two checks do not differ."""
    if check is None:
        return "not asked"
    if not check["ok"]:
        return f"{check['observed']} (expected: {check['expected']})"
    return str(check["expected"])


def _difference(
    runs: list[RunResult], what: str, values: Mapping[str, Any], meanings: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    gateways = defaultdict(list)
    for gateway, meaning in meanings.items():
        gateways[meaning].append(label(gateway))
    sentence = told(DIFFERENCE.read_text(), kind=kind, what=what, gateways=gateways)
    return {"scenario": runs[0]["scenario"], "what": what, "values": dict(values), "sentence": sentence}
