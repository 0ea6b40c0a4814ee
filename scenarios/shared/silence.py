"""Flows on which nobody speaks for a while, each for another time, and what then becomes of a word either way.

A word of the server's is an answer that nobody asked for. On a TCP connection its kernel sends it again until it
is acknowledged, and over UDP it goes once. A client that gets none says a word itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from scenarios.shared.clients import Client, listen
from scenarios.shared.servers import Server
from testbed.api import Attempt, Endpoint, Experiment

HEARD_S = 0.5
"""Seconds within which a word arrives, or does not."""
LISTEN_S = 0.01


class Silent:
    """A flow, which is to be silent for `interval` seconds from its last packet."""

    def __init__(self, number: int, netns: str, protocol: str, target: Endpoint, interval: float) -> None:
        """Begin to open it, as the attempt with this number."""
        self.number = number
        self.client = Client(netns, protocol, target, queue=True)
        self.protocol, self.interval = protocol, interval
        self.least = self.most = math.nan
        """The seconds for which the NAT saw nothing of it before the server's word. This process knows when it
        sent the hello, and when it read the answer, and not when that passed the NAT."""
        self.arrived = False
        self.opened: Attempt | None = None
        """The attempt that opened it, once that is established."""
        self.first_seen: Endpoint | None = None
        self._last_at = self._said_at = 0.0
        self._state: Callable[[Server, float], bool] = self._opening

    @property
    def reply(self) -> str:
        """What the client was told on its own word, if the server's did not arrive."""
        if self.client.told is None:
            return "nothing"
        if not self.client.told.seen:
            return self.client.words
        return (
            "an answer" if self.client.told.seen == self.first_seen else "an answer, at another external endpoint"
        )

    def go_on(self, server: Server) -> bool:
        """Do what is due, and return whether there will be more."""
        return self._state(server, time.monotonic())

    def _opening(self, _server: Server, _now: float) -> bool:
        told = self.client.told
        if told and told.seen:
            self.first_seen, self._last_at = told.seen, self.client.asked_at + told.seconds
            self.opened = self.client.attempt(self.number)
            self._state = self._being_silent
        return told is None or told.seen is not None

    def _being_silent(self, server: Server, now: float) -> bool:
        assert self.opened is not None
        assert self.first_seen is not None
        if now >= self._last_at + self.interval:
            self.client.listen_again()
            self.least, self.most = now - self._last_at, now - self.opened.sent_at
            server.speak(self.client.nonce, self.first_seen)
            self._said_at, self._state = now, self._spoken_to
        return True

    def _spoken_to(self, _server: Server, now: float) -> bool:
        self.arrived = self.client.told is not None and self.client.told.seen is not None
        if self.arrived or now < self._said_at + HEARD_S:
            return not self.arrived
        self.client.ask_again()
        self._said_at, self._state = now, self._asking
        return True

    def _asking(self, server: Server, now: float) -> bool:
        if self.client.told is None and now < self._said_at + HEARD_S:
            return True
        if self.client.is_stream:  # or both kernels would go on, while the port may be another's
            self.client.vanish()
            server.connections[self.client.nonce].vanish()
        return False


def spoken(x: Experiment[Any], flows: Sequence[Silent], server: Server) -> None:
    """Have every flow be silent for its time, and then speak."""
    busy = list(flows)
    while busy:
        listen([*(flow.client for flow in busy), *server.listeners()], LISTEN_S)
        busy = [flow for flow in busy if flow.go_on(server)]
        x.progress(len(flows) - len(busy), len(flows))
