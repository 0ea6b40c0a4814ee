"""Checks of a fill that several questions make: what got through, how the rest ended, and the endpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from scenarios.shared.filling import Filled
from testbed.api import (
    DROPPED,
    Attempt,
    Counters,
    Endpoint,
    Experiment,
    Promise,
    at_least,
    between,
    dropped,
    lost_in_switch,
    unserved,
)

UNSHARED = "RFC 4787 REQ-3, RFC 5382 REQ-7: no port is shared toward one destination"
KEPT = "RFC 6888 REQ-11D: existing mappings are kept"


def check_established(
    filled: Sequence[Attempt] | Filled,
    x: Experiment[Any],
    *,
    promise: Promise | None = None,
    of: str = "",
    source: str = UNSHARED,
) -> None:
    """Check that the promised number of attempts is established, or all of them if the NAT evicts.

    `of` begins the claim: it names the attempts.
    """
    promise, attempts = promise or x.promise, list(filled)
    least, most = (len(attempts), len(attempts)) if promise.evicts else promise.established(len(attempts))
    x.check(
        f"{of}exactly {most} attempts are established"
        if least == most
        else f"{of}nearly {most} attempts are established",
        key=f"{of}established".replace(": ", "-").lower(),
        expected=between(least, most),
        observed=len(attempts) - len(unserved(attempts)),
        source=f"{source}; {x.behaviour.finds_every_port_of}",
    )


def check_refused(
    filled: Iterable[Attempt],
    x: Experiment[Any],
    *,
    promise: Promise | None = None,
    of: str = "",
    refused: int | None = None,
) -> None:
    """Check that attempts which were not established ended as promised, if the promise has an outcome.

    `of` begins the claim: it names the attempts. `refused` is the number that must have ended so, by default all
    attempts that were not established.
    """
    promise, attempts = promise or x.promise, list(filled)
    if promise.outcome is None:
        return
    x.check(
        f"{of}all the other attempts end by {promise.outcome}",
        key=f"{of}refused".replace(": ", "-").lower(),
        expected=len(unserved(attempts)) if refused is None else refused,
        observed=sum(attempt.outcome == promise.outcome for attempt in attempts),
        source=f"RFC 6888 REQ-11, RFC 5508 REQ-8; {promise.source}",
    )


def check_refused_packets(
    filled: Iterable[Attempt],
    counters: Counters,
    x: Experiment[Any],
    *,
    promise: Promise | None = None,
    when: str = "",
    late: int = 0,
) -> None:
    """Check that the gateway counted every packet of refused attempts as dropped.

    If the NAT need not find the last ports, it may refuse a packet and not its repetition. A packet that the
    switch had no room for was not refused, and neither were `late` attempts, which got through after all.
    """
    promise, attempts = promise or x.promise, list(filled)
    refused = promise.packets_refused(attempts)
    if dropped(counters) < refused:
        refused -= lost_in_switch() + late
    expected = at_least(refused) if refused or not promise.finds_all else 0
    x.agrees(f"packets dropped at any limit{when}", expected, *DROPPED, of=counters)


def check_carrying(
    expected: int, echoed: Collection[int], x: Experiment[Any], *, of: str = "", source: str = KEPT
) -> None:
    """Check that `expected` connections still carry data. `echoed` are the numbers of those that do."""
    x.check(
        f"{of}connections that still carry data, from the same external endpoint as before",
        key=f"{of}carrying-data".replace(": ", "-").lower(),
        expected=expected,
        observed=len(echoed),
        source=source,
    )


def check_endpoints(external: Iterable[Endpoint], expected: int, x: Experiment[Any]) -> None:
    """Check that `expected` distinct external endpoints were seen, and that all belong to the pool."""
    distinct = set(external)
    pool = {str(address) for address in x.settings.external_addresses}
    ports = x.settings.port_set
    x.check(
        "distinct external endpoints that the servers saw",
        expected=expected,
        observed=len(distinct),
        source="RFC 4787 REQ-3",
    )
    x.check(
        "external endpoints that do not belong to the pool",
        expected=0,
        observed=sum(address not in pool or port not in ports for address, port in distinct),
        source="RFC 8512 port-set-restrict",
        bears=None,
    )


def check_own_ports(kept: list[bool], x: Experiment[Any]) -> None:
    """Check whether the NAT kept source ports, as declared, where it could.

    Of attempts that were under way together, one may have got another's own port. So nearly all must be kept.
    """
    keeps, few = x.behaviour.keeps_source_port, len(kept) // 10
    if kept and keeps.value is not None:
        x.check(
            f"source ports kept, of {len(kept):,} that were in the range and free",
            expected=between(len(kept) - few, len(kept)) if keeps.value else between(0, max(1, few)),
            observed=sum(kept),
            source=str(keeps),
        )
