"""Connections that end each in a chosen way, and the moment from which a NAT's timer for that ending runs."""

from __future__ import annotations

import math
import time

from scenarios.shared.clients import Client, listen
from scenarios.shared.servers import Server
from testbed.api import Endpoint
from testbed.traffic.kernel import is_half_closed

ANSWERED_WITHIN_S = 20.0
LISTEN_S = 0.02

TCP_ENDINGS = {
    "close": "an orderly close by both sides",
    "half-close": "one side's close, while the other is gone",
    "late close": "one side's close, and later the other's",
    "reset": "a RST",
    "silence": "a power failure of both sides",
}
ENDINGS = {**TCP_ENDINGS, "udp": "the last UDP datagram"}
"""Every way to end, by the name that a gateway's `port_back` gives it, and in words."""


class Holder:
    """A connection that ends in its way, between `ended_at` and `ended_by`: then its timer starts to run.

    The two differ if this process had to wait for a processor meanwhile. A connection that closes late stays
    half-closed for `pause` seconds.
    """

    def __init__(self, client: Client, ending: str, pause: float) -> None:
        self.client = client
        self.ending = ending
        self.ended_at: float | None = None
        self.ended_by: float | None = None
        self._pause = pause
        self._begun_at = 0.0

    @property
    def endpoint(self) -> tuple[str, Endpoint] | None:
        """What it holds: protocol and external endpoint; None if it was never answered."""
        told = self.client.told
        return (self.client.protocol, told.seen) if told and told.seen else None

    @property
    def answered_at(self) -> float:
        """When it was answered; infinite if it never was."""
        told = self.client.told
        return self.client.asked_at + told.seconds if told else math.inf

    def begin(self, server: Server) -> None:
        """Do the client's part."""
        self._begun_at = time.monotonic()
        match self.ending:
            case "reset":
                self.client.reset()
                self._ended(self._begun_at, time.monotonic())
            case "silence":
                self._ended(self.client.asked_at, self.answered_at)  # what was sent last
                self.client.vanish()
                server.connections[self.client.nonce].vanish()
            case "udp":
                self._ended(self.client.asked_at, self.answered_at)
            case _:
                self.client.shut()

    def go_on(self, server: Server) -> None:
        """Do the server's part, once it has noticed."""
        connection = server.connections.get(self.client.nonce)
        if connection is None or self.ended_at is not None or not connection.other_side_closed:
            return
        now = time.monotonic()
        if self.ending == "half-close":
            if is_half_closed(self.client.socket):  # or its FIN would come again, and be answered by a reset
                self._ended(self._begun_at, now)
                connection.vanish()  # or it would object to the next client behind this port (RFC 5961 section 4)
        elif self.ending == "close" or now >= self._begun_at + self._pause:
            connection.close()
            self._ended(now, time.monotonic())

    def _ended(self, at: float, by: float) -> None:
        self.ended_at, self.ended_by = at, by


def hold(netns: str, target: Endpoint, server: Server, *, ports: int, pause: float) -> list[Holder]:
    """Take `ports` ports for TCP, whose endings take turns, and as many for UDP.

    Return those that were answered in time.
    """
    ways = list(TCP_ENDINGS)
    holders = [Holder(Client(netns, "tcp", target), ways[n % len(ways)], pause) for n in range(ports)]
    holders += [Holder(Client(netns, "udp", target), "udp", pause) for _ in range(ports)]
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    clients = [holder.client for holder in holders]
    while any(client.waits for client in clients) and time.monotonic() < deadline:
        listen([*clients, *server.listeners()], LISTEN_S)
    return [holder for holder in holders if holder.endpoint]
