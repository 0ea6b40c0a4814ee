"""The answer of a run in a paragraph, made from its checks and outcomes: what held, and what did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.experiment.judged import JUDGED
from testbed.report.words import cut, listed, number, plural, words

MOST_FAILED, MOST_HELD = 5, 4
"""The checks of a kind that the paragraph names."""
CLAIM = 200
ENDS = {
    "established": "established",
    "timeout": "timed out without a word",
    "icmp": "refused by an ICMP error",
    "reset": "refused by a reset",
    "held": "held for a while and then established",
    "evicted": "established and later evicted",
    "leaked": "leaked untranslated",
    "shared": "established on an endpoint that another client had as well",
    "unanswered": "answered by somebody who was not the server",
}
"""What became of an attempt, as a sentence has it."""


def answer(run: Mapping[str, Any]) -> list[str]:
    """Return the sentences that answer a run's question."""
    checks = run.get("checks", [])
    failed = [check for check in checks if not check["ok"]]
    held = [check for check in checks if check["ok"]]
    if run["verdict"] == "error":
        return [_broke(run), _before(held, failed)]
    return [*_failures(failed, len(checks)), *_holds(held, failed), *_outcomes(run.get("outcomes", {}))]


def _broke(run: Mapping[str, Any]) -> str:
    reason = cut(run.get("error") or "no check was made", 2 * CLAIM).rstrip(".")
    return f"There is no answer, since the run broke: {reason}. No NAT is to blame for that."


def _before(held: Sequence[Any], failed: Sequence[Any]) -> str:
    if not held and not failed:
        return "No check had been made by then."
    counts = f"{plural(len(held), 'check')} had held by then"
    return f"{counts}, and {len(failed):,} had not." if failed else f"{counts}, and none had failed."


def _failures(failed: Sequence[Any], of: int) -> list[str]:
    if not failed:
        return []
    first = f"{len(failed):,} of {plural(of, 'check')} did not hold."
    named = [
        f"{_claim(check)}: expected {words(check['expected'])}, observed {words(check['observed'])} "
        f"({cut(check['source'], CLAIM)})."
        for check in failed[:MOST_FAILED]
    ]
    more = len(failed) - len(named)
    return [first, *named, *([f"{more:,} more did not hold either."] if more else [])]


def _holds(held: Sequence[Any], failed: Sequence[Any]) -> list[str]:
    """Return what held: the scenario's own checks by their claims, and the others by their number."""
    own = [check for check in held if check["key"] not in JUDGED]
    named = [f"{_claim(check)} ({_value(check)})" for check in own[:MOST_HELD]]
    if not held:
        return ["None of them held."] if failed else []
    head = f"The other {len(held):,} held" if failed else f"All {plural(len(held), 'check')} held"
    if not named:
        return [f"{head}."]
    more = len(held) - len(named)
    return [f"{head}: {'; '.join(named)}{f'; and {more:,} more' if more else ''}."]


def _claim(check: Mapping[str, Any]) -> str:
    return cut(check["claim"], CLAIM).strip().rstrip(".")


def _value(check: Mapping[str, Any]) -> str:
    """Return what was observed, and what was expected if that is not the same."""
    expected, observed = words(check["expected"]), words(check["observed"])
    return observed if expected == observed else f"{observed}, expected {expected}"


def _outcomes(outcomes: Mapping[str, int]) -> list[str]:
    total = sum(outcomes.values())
    if not total:
        return []
    ends = [
        f"{number(count)} {'was' if count == 1 else 'were'} {ENDS.get(name, cut(name, CLAIM))}"
        if name != "timeout"
        else f"{number(count)} {ENDS[name]}"
        for name, count in sorted(outcomes.items(), key=lambda each: -each[1])[: len(ENDS)]
        if count
    ]
    return [f"Of {plural(total, 'attempt')}, {listed(ends)}."]
