"""Matching packets one to one, by their content: what hosts sent, and what arrived at hosts.

These are pure functions over packets that were seen at the hosts' own ends of their links. The words are those of
the IETF's metrics: loss (RFC 7680), delay (RFC 7679), duplication (RFC 5560) and reordering (RFC 4737).
"""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from testbed.evidence.packets import Packet, changes

Hops = Callable[[int, int], int]
"""The number of routers and NATs on the way from one host to another, by the hosts' places."""

Passing = tuple[float, float, bytes]
"""When a packet was sent and when it came, and the NAT's external address."""


@dataclass(slots=True)
class Matched:
    """What became of the packets that were `sent`.

    `lost` are packets that did not arrive in any form. `doubled` arrived more often than they were sent.
    `reordered` came after a packet that was sent later. `damaged` have a content that was not sent, or a wrong
    checksum. `rewritten` has the number of packets by the field that a NAT must leave. `renumbered` have another
    identification than they were sent with, which by itself is allowed. `waits` has the seconds that each packet
    was under way, `openings` those of SYNs alone, and `acceptances` those of SYN/ACKs. `apart` has the waits of
    SYNs, and of SYN/ACKs, that no queue explains: a later one passed them, or they were alone. `segments` are
    contents of TCP with data that arrived, and `again` the copies of these that were lost, and were sent again.
    """

    sent: int = 0
    arrived: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    damaged: int = 0
    renumbered: int = 0
    rewritten: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    openings: list[float] = field(default_factory=list)
    acceptances: list[float] = field(default_factory=list)
    apart: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    segments: int = 0
    again: int = 0

    def delayed(self, limit: float) -> int:
        """Return the number of packets that were under way for `limit` seconds or more."""
        return sum(wait >= limit for wait in self.waits)


def match(sent: Sequence[Packet], arrived: Iterable[Packet], hops: Hops) -> Matched:
    """Match the packets that arrived with those that were sent.

    The same content may be sent more than once, as kernels do that have no answer. An arrival is compared with
    the sending that it resembles most, and was under way since the last one before it. An unknown SYN is not
    counted here, but by `unsent`.
    """
    found = Matched(sent=len(sent))
    sendings: dict[object, list[tuple[int, Packet]]] = defaultdict(list)
    for position, one in enumerate(sorted(sent, key=lambda each: each.at)):
        sendings[one.content].append((position, one))
    came: set[object] = set()
    copies: Counter[object] = Counter()
    segments: Counter[object] = Counter()
    passings: tuple[list[Passing], list[Passing]] = ([], [])
    newest: dict[int, int] = {}
    numbers: dict[object, int] = {}
    strange = 0
    for one in sorted(arrived, key=lambda each: each.at):
        candidates = sendings.get(one.content)
        if candidates is None:
            strange += not one.opens
            continue
        came.add(one.content)
        place = one.content, one.host, one.target
        copies[place] += 1
        if copies[place] > len(candidates):
            found.doubled += 1
            continue
        found.arrived += 1
        if one.protocol == socket.IPPROTO_TCP and not one.opens:
            segments[one.content] += 1
        found.damaged += not one.intact
        position, origin = _origin(candidates, one)
        found.waits.append(one.at - origin.at)
        if one.opens:
            external = origin.target if one.accepts else one.source
            passings[one.accepts].append((origin.at, one.at, external))
        found.reordered += position < newest.get(one.host, -1)
        newest[one.host] = max(position, newest.get(one.host, -1))
        found.rewritten.update(_rewritten(candidates, one, hops))
        found.renumbered += one.identification != origin.identification
        if not origin.atomic:
            own = one.host, origin.host, origin.source, origin.protocol, one.identification
            found.rewritten["identification"] += numbers.setdefault(own, origin.identification) != (
                origin.identification
            )
    found.damaged += strange
    found.rewritten = +found.rewritten
    found.openings, found.acceptances = ([came - sent for sent, came, _ in each] for each in passings)
    found.apart = apart(passings[0]), apart(passings[1])
    found.segments = len(segments)
    again = sum(max(0, len(sendings[content]) - count) for content, count in segments.items())
    found.again = max(0, again - strange)
    found.lost = max(0, len(sendings.keys() - came) - strange)
    return found


def unsent(sent: Iterable[Packet], arrived: Iterable[Packet], servers: Collection[int]) -> int:
    """Return the number of SYNs that arrived at servers, by their places, and that nobody sent to their target.

    At a client a SYN may have another target, since a NAT has translated that.
    """
    known = {(one.target, one.content) for one in sent if one.opens}
    return sum(one.opens and one.host in servers and (one.target, one.content) not in known for one in arrived)


def apart(passings: Iterable[Passing]) -> list[float]:
    """Return the waits of packets that no queue explains: a later one passed them, or no other was under way.

    Only packets of the same external address can pass one another, since each NAT has a queue of its own.
    """
    ordered, waits = sorted(passings), []
    earliest: dict[bytes, float] = {}
    passed = set()
    for place in reversed(range(len(ordered))):
        _, came, external = ordered[place]
        if earliest.get(external, came) < came:
            passed.add(place)
        earliest[external] = min(came, earliest.get(external, came))
    latest = 0.0
    for place, (sent, came, _) in enumerate(ordered):
        is_last = place + 1 == len(ordered) or ordered[place + 1][0] >= came
        if place in passed or (latest <= sent and is_last):
            waits.append(came - sent)
        latest = max(latest, came)
    return waits


def _origin(candidates: Sequence[tuple[int, Packet]], arrived: Packet) -> tuple[int, Packet]:
    """Return the last sending before the arrival, and its position among all that were sent."""
    before = [each for each in candidates if each[1].at <= arrived.at]
    return before[-1] if before else candidates[0]


def _rewritten(candidates: Sequence[tuple[int, Packet]], arrived: Packet, hops: Hops) -> list[str]:
    """Return the fields that have changed on the way, and must not."""

    def changed(sent: Packet) -> list[str]:
        ttl = sent.ttl - hops(sent.host, arrived.host)
        return [*changes(sent, arrived), *(["TTL"] if arrived.ttl != ttl else [])]

    return min((changed(sent) for _, sent in candidates), key=len)
