"""A client that asks for ports again and again, to see when each is given again.

It asks for as many as are still out, each time with a new socket, and keeps what it gets. The server's answer
contains the external endpoint, and so the port.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.shared.clients import Client, listen
from scenarios.shared.endings import LISTEN_S, Holder
from scenarios.shared.servers import Server
from testbed.api import Attempt, Endpoint, Experiment

PROBE_EVERY_S = 0.1
PROBE_LIFE_S = 0.9
"""A probe is closed before its kernel sends again: it asked once, and leaves nothing behind."""


class Probing:
    """The client, in the network namespace `netns`, and what it has got so far."""

    def __init__(self, netns: str, target: Endpoint) -> None:
        self._netns = netns
        self._target = target
        self._next_at = 0.0
        self.under_way: list[Client] = []
        self._ended: list[Client] = []
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

    def given_after(self, holder: Holder) -> float | None:
        """Return the seconds from a holder's end until its port was given again; None if it was not."""
        got = self.got.get(holder.endpoint) if holder.endpoint else None
        return round(got - holder.ended_at, 3) if got is not None and holder.ended_at is not None else None


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
