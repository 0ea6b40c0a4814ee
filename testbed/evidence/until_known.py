"""The time until clients knew what became of their attempts, for each outcome that a client can see.

A NAT that drops what it refuses leaves its client to wait for a timer of its own. One that answers does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from testbed.traffic.records import Attempt

TENTHS = 10
ESTABLISHED = "established"


def until_known(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return a row for each outcome, the most frequent first; no rows if no attempt was refused.

    `seconds` are from an attempt to its end: the shortest, what a tenth of the attempts did not exceed, what two
    tenths did not, and so on to the longest.
    """
    found: dict[str, list[float]] = {}
    for attempt in attempts:
        found.setdefault(attempt.outcome, []).append(attempt.seconds)
    if found.keys() <= {ESTABLISHED}:
        return []
    by_number = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    return [
        {"outcome": outcome, "attempts": len(seconds), "seconds": _tenths(sorted(seconds))}
        for outcome, seconds in by_number
    ]


def _tenths(seconds: list[float]) -> list[float]:
    last = len(seconds) - 1
    return [round(seconds[-(-last * tenth // TENTHS)], 4) for tenth in range(TENTHS + 1)]
