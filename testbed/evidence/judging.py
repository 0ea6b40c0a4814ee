"""Judging what servers and the wire saw: which endpoints were shared, and which SYNs were held or sent again.

These are pure functions over sightings and frames, which `judge` gathers. One port may have seen a thousand
connections, so none of them goes through all SYNs of a port for each of its connections.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter

from testbed.evidence.witnesses import Ends, Speakers, Syns
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

SURELY = 0.9
"""Share of a declared time for which a port is certainly kept, whatever the clocks do."""
HELD_S = 0.1
"""A SYN that took this number of seconds or more was held: a gateway that has a free port takes milliseconds."""
SYN_TIMER_S = 1.0
"""Seconds after which a client sends its SYN again (RFC 6298 section 2; Linux, TCP_TIMEOUT_INIT)."""
TIMER_SLACK = 0.9
"""The least share of a kernel's timer that must have passed, since kernels let timers coincide."""

_at = itemgetter(1)


def shared(sightings: Iterable[Sighting]) -> set[int]:
    """Return the nonces of clients that used one external endpoint at the same time as another.

    It counts over one protocol and toward one destination only, where RFC 4787 REQ-3 and RFC 5382 REQ-7 forbid it.
    To share, the second client must be seen before the first was seen for the last time.
    """
    users: dict[tuple[str, Endpoint, Endpoint], list[Sighting]] = defaultdict(list)
    for seen in sightings:
        users[seen.protocol, seen.external, seen.target].append(seen)
    found: set[int] = set()
    for spans in users.values():
        spans.sort(key=lambda seen: seen.first)
        latest = spans[0]
        for seen in spans[1:]:
            if seen.first < latest.last:
                found |= {seen.nonce, latest.nonce}
            latest = max(seen, latest, key=lambda each: each.last)
    return found


def heard(sightings: Iterable[Sighting], speakers: Speakers) -> list[Sighting]:
    """Return the sightings. Over TCP, `last` is the time at which the wire saw the client send for the last time.

    A server may not get a client's last data, or get it late, when the port may rightly have gone to another.
    """
    timed = []
    for seen in sightings:
        spoken = speakers.get((seen.external, seen.target))
        last = spoken.get(seen.nonce, seen.last) if spoken else seen.last
        timed.append(seen.until(last) if last != seen.last else seen)
    return timed


def keeps(behaviours: Collection[Behaviour]) -> dict[str, float]:
    """Return the seconds, by protocol, for which gateways declare to keep the endpoint of a silent client.

    If a gateway evicts, it promises no such time, and nothing is returned.
    """
    if evicted(behaviours) != {"nothing"}:
        return {}
    return kept_while_not_evicted(behaviours)


def evicted(behaviours: Collection[Behaviour]) -> set[str]:
    """Return what gateways declare to evict, in the words of `Exhaustion`."""
    return {each.value.evicts for one in behaviours for each in (one.ports_exhausted, one.state_exhausted)}


def kept_while_not_evicted(behaviours: Collection[Behaviour]) -> dict[str, float]:
    """Return the seconds, by protocol, for which a silent client keeps its endpoint if it is not evicted."""
    endings = {"tcp": ("half-close", "silence"), "udp": ("udp",)}
    return {
        protocol: SURELY * min(one.port_back.value[ending][0] for one in behaviours for ending in each)
        for protocol, each in endings.items()
    }


def lasting(sightings: Iterable[Sighting], ends: Ends, keeps: Mapping[str, float]) -> list[Sighting]:
    """Return the sightings. Each `last` is extended by the time for which the endpoint had to be kept after it.

    The time ends earlier if the connection's end came by on the wire. For a client that sent no more than a hello,
    nothing else shows how long it used its endpoint.
    """
    lasted = []
    for seen in sightings:
        until = seen.last + keeps.get(seen.protocol, 0.0)
        if seen.protocol == "tcp":
            ended = ends.get((seen.external, seen.target), [])
            place = bisect_left(ended, seen.last)
            until = min([until, *ended[place : place + 1]])
        lasted.append(seen.until(until) if until > seen.last else seen)
    return lasted


def intruded(sightings: Iterable[Sighting], syns: Syns) -> set[int]:
    """Return the nonces of clients on whose TCP connection another client's SYN came, while they were using it.

    A SYN that is older than the first sighting is the connection's own.
    """
    found = set()
    for seen in sightings:
        if seen.protocol != "tcp":
            continue
        on_wire = syns.get((seen.external, seen.target), ())
        began = bisect_right(on_wire, seen.first, key=_at)
        meanwhile = on_wire[began : bisect_left(on_wire, seen.last, key=_at)]
        if meanwhile and not {number for number, _ in meanwhile} <= {number for number, _ in on_wire[:began]}:
            found.add(seen.nonce)
    return found


def sent_again(attempts: Iterable[Attempt], syns: Syns) -> set[int]:
    """Return the numbers of attempts whose kernels sent the SYN again, by their own count and by the wire outside.

    The kernel's count alone is not enough, since it also has the hello, which is sent again after 0.2 s on a busy
    machine. In that case the wire saw one SYN, before a second one was due.
    """
    due = SYN_TIMER_S * TIMER_SLACK
    return {
        attempt.number
        for attempt in attempts
        if attempt.retransmissions
        and attempt.seconds >= due
        and not (len(passed := _passed(attempt, syns)) == 1 and passed[0] < due)
    }


def waits(attempts: Collection[Attempt], syns: Syns) -> dict[int, float]:
    """Return the seconds, by the attempt's number, that each first SYN was under way to the wire outside.

    Attempts whose SYN was sent again are left out, since the second SYN may be the one that passed.
    """
    again = sent_again(attempts, syns)
    return {
        attempt.number: passed[0]
        for attempt in attempts
        if attempt.outcome == "established" and attempt.number not in again and (passed := _passed(attempt, syns))
    }


def held(attempts: Collection[Attempt], syns: Syns, *, under_way: float = 0.0) -> set[int]:
    """Return the numbers of attempts whose first SYN the NAT had for HELD_S or longer, and then let through.

    `under_way` are the most seconds that it may have been on its client's link before.
    """
    return {number for number, seconds in waits(attempts, syns).items() if seconds - under_way >= HELD_S}


def _passed(attempt: Attempt, syns: Syns) -> list[float]:
    """Return the seconds after which the wire outside saw the SYN of an attempt, each time.

    The SYN is the latest on its port until the attempt's end, since a client that used the port before was gone.
    """
    on_wire = syns.get((attempt.seen, attempt.target), ())
    began = bisect_left(on_wire, attempt.sent_at, key=_at)
    during = on_wire[began : bisect_right(on_wire, attempt.done_at, key=_at)]
    return [at - attempt.sent_at for number, at in during if number == during[-1][0]]
