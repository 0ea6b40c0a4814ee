"""What became of each attempt, decided from both ends and the wire, never from a log line.

Each attempt counts once, by its final state. If several outcomes fit, the first of them in `OUTCOMES` counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from testbed.traffic.records import Attempt
from testbed.traffic.wire import Endpoint

OUTCOMES = ("leaked", "shared", "unanswered", "evicted", "held", "established", "timeout", "icmp", "reset")
"""Every outcome, the gravest first."""


def outcomes(
    attempts: Iterable[Attempt],
    *,
    shared: set[int],
    echoed: set[int],
    leaked: set[Endpoint],
    held: Collection[int] = (),
    unanswered: Collection[int] = (),
) -> Counter[str]:
    """Count the attempts by their final outcome.

    `echoed` are the numbers of attempts that still carried data in the end. `held` are the numbers of those that
    the NAT held, and then let through. `unanswered` are the nonces of those that no server knows of.
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    for attempt in attempts:
        counts[_outcome(attempt, shared, echoed, leaked, held, unanswered)] += 1
    return counts


def _outcome(
    attempt: Attempt,
    shared: set[int],
    echoed: set[int],
    leaked: set[Endpoint],
    held: Collection[int],
    unanswered: Collection[int],
) -> str:
    if attempt.source in leaked:
        return "leaked"
    if attempt.nonce in shared:
        return "shared"
    if attempt.nonce in unanswered:
        return "unanswered"
    if attempt.outcome == "established" and attempt.number not in echoed:
        return "evicted"
    if attempt.outcome == "established" and attempt.number in held:
        return "held"
    return attempt.outcome
