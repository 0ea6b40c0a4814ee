"""A client that asks for ports again and again, to see when each is given again.

It asks for as many as are still out, each time with a new socket, and keeps what it gets. The server's answer
contains the external endpoint, and so the port.

A busy machine makes the client late. So the moment at which a port was given again comes from the wire outside, or
from the server's kernel, where a probe also counts that the client had given up by then. And a port cannot be seen
before it is asked for: it came back at some moment after the last probe that was refused. That moment and the one
on the wire are the bounds of when it was given again, and a NAT is blamed only if nothing between them will do.
"""

from __future__ import annotations

import socket
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.shared.clients import Client, listen
from scenarios.shared.endings import LISTEN_S, Holder
from scenarios.shared.servers import Server
from testbed.api import Attempt, Endpoint, Experiment, Syns

PROBE_EVERY_S = 0.1
PROBE_LIFE_S = 0.9
"""A probe is closed before its kernel sends again: it asked once, and leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Back:
    """When a port was given again: after the end of its connection, from `least` to `most` seconds."""

    least: float
    most: float

    def nearest(self, latest: float) -> float:
        """Return the time within the bounds that is at most `latest`, or else the earliest."""
        return max(self.least, latest) if self.most > latest else self.most


class Probing:
    """The client, in the network namespace `netns`, and what it has got so far."""

    def __init__(self, netns: str, target: Endpoint) -> None:
        self._netns = netns
        self._target = target
        self._next_at = 0.0
        self.under_way: list[Client] = []
        self._ended: list[Client] = []
        self._in_vain: dict[str, list[float]] = {"tcp": [], "udp": []}
        self.got: dict[tuple[str, Endpoint], float] = {}
        """When each port was first seen to be given again, by protocol and external endpoint."""

    def go_on(self, out: Mapping[str, int]) -> None:
        """Take answers, give up old probes, and ask for as many ports of each protocol as `out` has."""
        now = time.monotonic()
        for probe in list(self.under_way):
            if probe.told is None and now < probe.asked_at + PROBE_LIFE_S:
                continue
            self.under_way.remove(probe)
            self._ended.append(probe)
            if probe.told is not None and probe.told.seen is not None:
                self.got.setdefault((probe.protocol, probe.told.seen), probe.asked_at + probe.told.seconds)
            else:
                self._in_vain[probe.protocol].append(probe.asked_at)
                probe.close()
        if now >= self._next_at:
            self._next_at = now + PROBE_EVERY_S
            for protocol, ports in out.items():
                self.under_way += [Client(self._netns, protocol, self._target, queue=True) for _ in range(ports)]

    def attempts(self) -> list[Attempt]:
        """Return all probes so far as a scenario's attempts."""
        return [probe.attempt(number) for number, probe in enumerate([*self._ended, *self.under_way], start=1)]

    def pair(self, server: Server) -> list[tuple[socket.socket, socket.socket]]:
        """Return the two ends of the TCP connection that it got last, or nothing if it got none."""
        living = [
            (probe.socket, server.connections[probe.nonce].socket)
            for probe in self._ended
            if probe.told and probe.told.seen and probe.nonce in server.connections
        ]
        return living[-1:]

    def given_after(self, holder: Holder, server: Server, syns: Syns) -> Back | None:
        """Return when a holder's port was given again, after the holder's end; None if it was not.

        `syns` are those on the wire outside.
        """
        given_at = self._given_at(holder, server, syns)
        if given_at is None or holder.ended_at is None or holder.ended_by is None:
            return None
        asked = sorted(self._in_vain[holder.client.protocol])
        before = bisect_left(asked, given_at)
        asked_at = asked[before - 1] if before else holder.ended_at
        return Back(min(asked_at, given_at) - holder.ended_by, given_at - holder.ended_at)

    def _given_at(self, holder: Holder, server: Server, syns: Syns) -> float | None:
        """Return when the next client after a holder was seen at its external endpoint, outside."""
        if holder.endpoint is None:
            return None
        protocol, external = holder.endpoint
        if protocol == "udp":
            seen = (each for each in server.sightings() if (each.protocol, each.external) == holder.endpoint)
            return min((each.first for each in seen if each.nonce != holder.client.nonce), default=None)
        on_wire = syns.get((external, self._target), [])
        own = {number for number, at in on_wire if at <= holder.answered_at}
        return min((at for number, at in on_wire if number not in own), default=None)


def probe(x: Experiment[Any], probing: Probing, held: Sequence[Holder], server: Server, *, seconds: float) -> None:
    """Ask for the held ports until all are given again, at most for `seconds`; meanwhile their holders end."""
    give_up_at = time.monotonic() + seconds
    ports = {holder.endpoint for holder in held if holder.endpoint}
    while (out := ports - probing.got.keys()) and time.monotonic() < give_up_at:
        probing.go_on({protocol: sum(one == protocol for one, _ in out) for protocol in ("tcp", "udp")})
        listen([*probing.under_way, *server.listeners()], LISTEN_S)
        for holder in held:
            holder.go_on(server)
        x.progress(len(ports) - len(out), len(ports))
    probing.go_on({})
