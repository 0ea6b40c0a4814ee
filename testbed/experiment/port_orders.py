"""The order of external ports in every run: what servers saw of a fresh pool, against what the NAT declares."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Sequence

from controller.nat.port_set import ranges_of
from controller.settings import Settings
from testbed.evidence.port_order import (
    HIDDEN,
    MOST_GAIN,
    Given,
    blocks,
    first_uses,
    followed,
    gain,
    kept,
    reach,
)
from testbed.experiment.expectations import at_least, at_most, between, met
from testbed.experiment.judgement import Finding, Unseen
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

KEY = "port-order"
MOST_OVERTAKEN = 0.25
"""Share of ports that may be out of a sequence, since packets may overtake others on their way."""
FEWEST = 16
"""The fewest ports that show a sequence."""
LEAST_REACH = MOST_GAIN + 2
POOL_OF: dict[str, Callable[[Endpoint], object]] = {
    "off": lambda target: None,
    "address": lambda target: target[0],
    "endpoint": lambda target: target,
}
"""What destinations must have in common for their ports to come from one pool, by `overlapping`."""
PROTOCOLS = ("tcp", "udp")
"""Where a port is one. Of ICMP a NAT may keep the identifiers, in whatever order the hosts chose them."""


def judged(
    sightings: Collection[Sighting], attempts: Collection[Attempt], behaviour: Behaviour, settings: Settings
) -> Finding | Unseen:
    """Return whether the ports of a run came in the order that is declared; of several protocols, the worst."""
    if behaviour.port_order.value == "undeclared":
        return Unseen(KEY, "the gateway declares no order of ports")
    if settings.static_mappings:
        return Unseen(KEY, "static mappings have some of the ports")
    if settings.subscriber_ports is not None:
        return Unseen(KEY, "each subscriber has ports of its own, in an order of their own")
    findings = []
    for protocol in PROTOCOLS:
        seen = sorted((each for each in sightings if each.protocol == protocol), key=lambda each: each.first)
        given = first_uses(_given(seen, attempts, behaviour, settings), settings.port_count)
        if found := _found(given, behaviour, settings):
            findings.append(found)
    if not findings:
        return Unseen(KEY, "too few ports of a fresh pool were seen to tell one order from another")
    return min(findings, key=lambda found: met(found.expected, found.observed))


def _given(
    seen: Sequence[Sighting], attempts: Collection[Attempt], behaviour: Behaviour, settings: Settings
) -> Iterator[Given]:
    """Yield the ports that came from one pool, in the order in which servers saw them.

    An attempt that failed may have taken a port that nobody has seen.
    """
    of = {attempt.nonce: attempt for attempt in attempts}
    starts, ends = sorted(each.sent_at for each in attempts), sorted(each.done_at for each in attempts)
    failed = sorted(attempt.sent_at for attempt in attempts if attempt.outcome != "established")
    of_udp = settings.port_overlapping_udp if seen and seen[0].protocol == "udp" else None
    pool_of = POOL_OF[of_udp or behaviour.overlapping.value]
    addresses = {str(address) for address in settings.external_addresses}
    ports = settings.port_set
    for each in seen:
        if each.address in addresses and each.port in ports and pool_of(each.target) == pool_of(seen[0].target):
            attempt = of.get(each.nonce)
            host, own = attempt.source if attempt else ("", 0)
            yield Given(
                address=each.address,
                place=ports.index(each.port),
                host=host,
                is_free_choice=not behaviour.keeps_source_port.value or (own > 0 and own not in ports),
                asked=ports.index(own) if own in ports else None,
                hidden=HIDDEN + bisect(failed, each.first),
                beside=bisect(starts, attempt.done_at) - bisect(ends, attempt.sent_at) - 1 if attempt else 0,
            )


def _found(given: list[Given], behaviour: Behaviour, settings: Settings) -> Finding | None:
    """Return what these ports show, or None if they are too few to show anything."""
    order, size = behaviour.port_order, settings.port_count
    match order.value:
        case "sequential" if (follow := followed(given, size))[1] >= FEWEST:
            return Finding(
                KEY,
                "external ports come in sequence, as declared: share of them that follow those before",
                expected=at_least(1 - MOST_OVERTAKEN),
                observed=round(follow[0] / follow[1], 3),
                source=str(order),
            )
        case "blocks" if len(given) >= FEWEST and all(each.host for each in given) and _are_whole(settings):
            had, needed = blocks(given, settings.port_set_size)
            return Finding(
                KEY,
                f"external ports come in blocks, as declared: blocks of hosts that need {needed}",
                expected=between(needed, needed + HIDDEN + needed // 4),
                observed=had,
                source=f"{order}; port_set_size",
            )
        case "random" | "search" if reach(given, size, order.value) >= LEAST_REACH:
            return Finding(
                KEY,
                "external ports cannot be guessed, as declared: what bets on the next ones win, as a power of ten",
                expected=at_most(MOST_GAIN),
                observed=round(max(0.0, gain(given, size, order.value)), 1),
                source=f"RFC 6056, RFC 6888 REQ-15; {order}; random ports exceed it once in 10^{MOST_GAIN:g} runs",
            )
    if behaviour.keeps_source_port.value and len(own := kept(given)) >= FEWEST:
        return Finding(
            KEY,
            "external ports are those that hosts asked for, as declared: share of them where that port was free",
            expected=at_least(1 - MOST_OVERTAKEN),
            observed=round(own.count(True) / len(own), 3),
            source=str(behaviour.keeps_source_port),
        )
    return None


def _are_whole(settings: Settings) -> bool:
    """Whether a port's place shows its block: a shorter block may only be the last of all."""
    return all(len(each) % settings.port_set_size == 0 for each in ranges_of(settings.port_set)[:-1])
