"""Judging what servers and the wire saw: which endpoints were shared, which SYNs were held or sent again.

Pure functions over sightings and frames; `judge` gathers these.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from testbed.evidence.witnesses import Ends, Speakers, Syns
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

SURELY = 0.9
"""Share of a declared time after which nobody argues about clocks."""
HELD_S = 0.1
"""A SYN that took so long to pass was held: a gateway that has a port to give takes some milliseconds."""
SYN_TIMER_S = 1.0
"""After which a client sends its SYN again (RFC 6298 section 2; Linux, TCP_TIMEOUT_INIT)."""
TIMER_SLACK = 0.9
"""Share of a kernel's timer that must at least have passed: kernels let timers coincide."""


def shared(sightings: Iterable[Sighting]) -> set[int]:
    """Return the nonces of clients that used one external endpoint at the same time as another.

    Only over one protocol and toward one destination: there RFC 4787 REQ-3 and RFC 5382 REQ-7 forbid it. One
    client after the other is no sharing: the second must be seen before the first was seen for the last time.
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
    """Return the sightings, over TCP with the time at which the wire saw each client speak last.

    A server may not hear any more of one, or hear it late: by then a port may rightly have gone to another.
    """
    timed = []
    for seen in sightings:
        last = speakers.get((seen.external, seen.target), {}).get(seen.nonce, seen.last)
        timed.append(replace(seen, last=last) if last != seen.last else seen)
    return timed


def keeps(behaviours: Collection[Behaviour]) -> dict[str, float]:
    """Return for how many seconds, by their own word, gateways keep an endpoint for who is silent, by protocol.

    Where one evicts, nobody is promised anything.
    """
    shortages = [each.value for one in behaviours for each in (one.ports_exhausted, one.state_exhausted)]
    if any(shortage.evicts != "nothing" for shortage in shortages):
        return {}
    endings = {"tcp": ("half-close", "silence"), "udp": ("udp",)}
    return {
        protocol: SURELY * min(one.port_back.value[ending][0] for one in behaviours for ending in each)
        for protocol, each in endings.items()
    }


def lasting(sightings: Iterable[Sighting], ends: Ends, keeps: Mapping[str, float]) -> list[Sighting]:
    """Return the sightings, each for as long as its endpoint had to be kept for it, since it was seen last.

    That is until its end came by on the wire. Of who has said no more than a hello nothing else tells how long it
    went on.
    """
    lasted = []
    for seen in sightings:
        until = seen.last + keeps.get(seen.protocol, 0.0)
        if seen.protocol == "tcp":
            ended = ends.get((seen.external, seen.target), [])
            place = bisect_left(ended, seen.last)
            until = min([until, *ended[place : place + 1]])
        lasted.append(replace(seen, last=until) if until > seen.last else seen)
    return lasted


def intruded(sightings: Iterable[Sighting], syns: Syns) -> set[int]:
    """Return the nonces of those on whose TCP connection another client's SYN came, while they were using it.

    A SYN that is older than the first sight is the connection's own.
    """
    found = set()
    for seen in sightings:
        if seen.protocol != "tcp":
            continue
        on_wire = syns.get((seen.external, seen.target), [])
        own = {number for number, at in on_wire if at <= seen.first}
        if any(seen.first < at < seen.last and number not in own for number, at in on_wire):
            found.add(seen.nonce)
    return found


def sent_again(attempts: Iterable[Attempt], syns: Syns) -> set[int]:
    """Return the numbers of those whose kernels sent their SYN again, by their own count and by the wire outside.

    Their count alone is not enough: it has the hello, too, which is sent again after 0.2 s on a busy machine. But
    then the wire saw one SYN, before any second one was due.
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
    """Return by number for how many seconds each first SYN was under way to the wire outside, if it got there.

    Who sent again is left out: his own kernel brought him through, or may have.
    """
    again = sent_again(attempts, syns)
    return {
        attempt.number: passed[0]
        for attempt in attempts
        if attempt.outcome == "established" and attempt.number not in again and (passed := _passed(attempt, syns))
    }


def held(attempts: Collection[Attempt], syns: Syns) -> set[int]:
    """Return the numbers of those whose first SYN was kept on its way for a while, and then passed."""
    return {number for number, seconds in waits(attempts, syns).items() if seconds >= HELD_S}


def _passed(attempt: Attempt, syns: Syns) -> list[float]:
    """Return after how many seconds the wire outside saw the SYN of an attempt, each time.

    It is the latest that its port had until then: whoever used the port before was gone.
    """
    on_wire = syns.get((attempt.seen, attempt.target), [])
    during = [(number, at) for number, at in on_wire if attempt.sent_at <= at <= attempt.done_at]
    return [at - attempt.sent_at for number, at in during if number == during[-1][0]]
