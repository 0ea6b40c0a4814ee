"""The differences between the runs of one scenario on several gateways: rows to set side by side, and sentences.

Results are as in `results.json`. If a gateway cannot run a scenario, its entry has the verdict `cannot` and a
reason. Checks are matched by their keys, since the words of a claim may depend on what a gateway declares. Two
checks that hold against the same expectation do not differ, even if a measured time does. A run that broke is not
compared, since it ended early.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from testbed.experiment.counters import AGREES
from testbed.experiment.stories import told
from testbed.run.naming import label, subject

RunResult = Mapping[str, Any]
DIFFERENCE = Path(__file__).with_name("templates") / "difference.j2"
NOT_ASKED = "not asked"
"""The kind of a difference between gateways that only some of them were asked about."""


def by_scenario(runs: Iterable[RunResult]) -> dict[str, list[RunResult]]:
    """Return the runs by their scenarios."""
    parted = defaultdict(list)
    for run in runs:
        parted[run["scenario"]].append(run)
    return dict(parted)


def ended(runs: Iterable[RunResult]) -> list[RunResult]:
    """Return the runs that neither broke nor were impossible."""
    return [run for run in runs if run["verdict"] in ("pass", "fail")]


def checks(run: RunResult) -> dict[str, dict[str, Any]]:
    """Return the checks of a run by their keys."""
    return {check["key"]: check for check in run.get("checks", ())}


def claims(runs: Iterable[RunResult]) -> dict[str, str]:
    """Return the claim for each key that occurs; where runs word it in several ways, the words in common."""
    worded: dict[str, dict[str, None]] = defaultdict(dict)
    for run in runs:
        for key, check in checks(run).items():
            worded[key][check["claim"]] = None
    return {key: _in_common(list(several)) or key.replace("-", " ") for key, several in worded.items()}


def _in_common(claims: list[str]) -> str:
    """Return the words that all claims have in this order, with dots for others between them."""
    return re.sub(r"( \.\.\.)+", " ...", reduce(_shared, claims)).strip(" .,;:")


def _shared(one: str, other: str) -> str:
    if one == other:
        return one
    first, second = one.split(), other.split()
    bare, other_bare = ([word.strip(",.;:") for word in each] for each in (first, second))
    blocks = difflib.SequenceMatcher(None, bare, other_bare, autojunk=False).get_matching_blocks()
    return " ... ".join(" ".join(first[at : at + count]) for at, _, count in blocks if count)


def outcomes(runs: Sequence[RunResult]) -> list[str]:
    """Return the outcomes that at least one attempt had in one of these runs."""
    names = dict.fromkeys(name for run in runs for name in run.get("outcomes", ()))
    return [name for name in names if any(run.get("outcomes", {}).get(name) for run in runs)]


def kind_of(key: str, runs: Sequence[RunResult]) -> str:
    """Return what a check shows of these runs: `differs`, `not asked` (of all of them), or `alike`."""
    found = [checks(run).get(key) for run in ended(runs)]
    asked = [check for check in found if check]
    if len({_meaning(check) for check in asked}) > 1 or not all(check["ok"] for check in asked):
        return "differs"
    return NOT_ASKED if 0 < len(asked) < len(found) else "alike"


def differences(runs: Iterable[RunResult]) -> list[dict[str, Any]]:
    """Return every difference between the runs of each scenario. Checks that not all were asked come last."""
    return [found for group in by_scenario(runs).values() for found in _of_one(group)]


def _of_one(group: list[RunResult]) -> Iterator[dict[str, Any]]:
    verdicts = {subject(run): run["verdict"] for run in group}
    if len(set(verdicts.values())) > 1:
        yield _difference(group, "verdict", verdicts, verdicts, "verdict")
    compared = ended(group)
    if len(compared) < 2:
        return
    for name in outcomes(compared):
        counts = {subject(run): run["outcomes"].get(name, 0) for run in compared}
        if len(set(counts.values())) > 1:
            yield _difference(compared, name, counts, counts, "outcome")
    last = []
    for key, claim in claims(compared).items():
        found = {subject(run): checks(run).get(key) for run in compared}
        meanings = {gateway: _meaning(check) for gateway, check in found.items()}
        if len(set(meanings.values())) > 1:
            observed = {gateway: check["observed"] for gateway, check in found.items() if check}
            if kind_of(key, compared) == NOT_ASKED:
                last.append(_difference(compared, claim, observed, meanings, NOT_ASKED))
            else:
                yield _difference(compared, claim, observed, meanings, "check")
    yield from last


def _meaning(check: dict[str, Any] | None) -> str:
    """Return what a check showed, as words that are equal exactly where two checks do not differ."""
    if check is None:
        return NOT_ASKED
    if not check["ok"]:
        return f"{words(check['observed'])} (expected: {words(check['expected'])})"
    return words(check["expected"])


def words(value: object) -> str:
    """Return a value of a check without the marks of a Python list."""
    return ", ".join(map(words, value)) if isinstance(value, list) else str(value)


def _difference(
    runs: list[RunResult], what: str, values: Mapping[str, Any], meanings: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    gateways = defaultdict(list)
    for gateway, meaning in meanings.items():
        gateways[meaning].append(label(gateway))
    sentence = told(DIFFERENCE.read_text(), kind=kind, what=what, gateways=gateways)
    return {
        "scenario": runs[0]["scenario"],
        "kind": kind,
        "what": what,
        "values": dict(values),
        "sentence": sentence,
    }


def not_asked(runs: Sequence[RunResult]) -> list[str]:
    """Return a sentence for each set of gateways that were not asked what others were, with the claims."""
    compared = ended(runs)
    lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, claim in claims(compared).items():
        if kind_of(key, compared) == NOT_ASKED:
            gateways = tuple(label(subject(run)) for run in compared if key not in checks(run))
            lacking[gateways].append(claim.removeprefix(AGREES))
    return [f"Not asked with {joined(gateways)}: {'; '.join(claims)}." for gateways, claims in lacking.items()]


def joined(names: Sequence[str]) -> str:
    """Return names with commas, and with `and` before the last."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
