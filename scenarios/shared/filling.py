"""Filling a NAT with connections, using them, draining it: what experiments about exhaustion have in common."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from controller.settings import FIRST_PORT, MOST_PORTS, Settings
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.traffic.records import Attempt, Opening, Sighting
from testbed.traffic.wire import Endpoint

WINDOW = 256
"""Attempts under way at once, at most."""
SLOWEST_RATE = 1000.0
"""Connections a second that every machine can open."""
ECHO_PATIENCE_S = 8.0
POOL_LOOK_EVERY_S = 0.05
BUSY_EVERY_S = 0.2
EVERY_NUMBER = range(1, 1 << 31)


def outlasting(attempts: int, settings: Settings, *, besides: float) -> float:
    """Return an idle timer that is longer than so many attempts take, and so many seconds besides."""
    return math.ceil(besides + attempts / SLOWEST_RATE) / settings.time_scale


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of the attempts of one fill, in their order."""

    attempts: list[Attempt]
    seconds: float

    @property
    def rate(self) -> float:
        """Connections that were established a second."""
        opened = self.established
        return len(opened) / (max(a.done_at for a in opened) - opened[0].sent_at) if opened else math.inf

    def __add__(self, later: Filled) -> Filled:
        return Filled(self.attempts + later.attempts, self.seconds + later.seconds)

    @property
    def established(self) -> list[Attempt]:
        """The attempts that got through."""
        return [attempt for attempt in self.attempts if attempt.outcome == "established"]

    @property
    def first_failure(self) -> Attempt | None:
        """The first attempt that did not."""
        return next((attempt for attempt in self.attempts if attempt.outcome != "established"), None)


class Filling:
    """Connections from all clients to one or more services, and the pool that they take their ports from.

    Attempts go over the destinations in turn, and with each round of them to the next client. With `own_ports`
    every attempt has a source port that no other of its host has, and none of any host while they suffice; else
    a host's kernel may use one port toward several destinations.
    """

    def __init__(
        self,
        lab: Lab,
        report: Report,
        *,
        protocol: str,
        attempts: int,
        held: int,
        destinations: int = 1,
        own_ports: bool = False,
    ) -> None:
        """Make ready for fills of so many attempts, of which `held` stay open."""
        self._own_ports = own_ports
        self._lab = lab
        self._report = report
        self._protocol = protocol
        self._servers = lab.serve(protocol, destinations=destinations, held=held)
        self._clients = lab.drive(protocol, attempts=attempts)

    def fill(
        self,
        phase: str,
        numbers: range,
        *,
        patience: float,
        in_order: int,
        ahead: int = 0,
        clients: Sequence[int] | None = None,
    ) -> Filled:
        """Open attempts with these numbers, and keep them; `clients` (by their places) make them, or all.

        `in_order` of them are under way at once while all are answered: the fewer, the more it means which one
        is the first to fail. The first `ahead` are over before any other begins, so that none of the others takes
        what is theirs, however late they are; but not where so many are made that several workers share them.
        """
        started = time.monotonic()
        turns = clients if clients is not None else range(len(self._lab.clients))
        with self._report.phase(phase):
            opened = self._clients.open(
                [opening(number, turns, self._servers.targets, own_port=self._own_ports) for number in numbers],
                patience=patience,
                first_window=in_order,
                window=WINDOW,
                progress=lambda done: self._report.progress(done, len(numbers)),
                ahead=ahead,
            )
        return Filled(opened, time.monotonic() - started)

    def echo(self, numbers: range, *, patience: float = ECHO_PATIENCE_S) -> set[int]:
        """Exchange data on each established connection among these numbers.

        Return the numbers of those that were answered, and seen from the same external endpoint as before.
        """
        with self._report.phase("echo"):
            return self._clients.echo(
                numbers,
                patience=patience,
                window=WINDOW,
                progress=lambda done: self._report.progress(done, len(numbers)),
            )

    def keep_busy(self, numbers: range, seconds: float) -> None:
        """Exchange data on these connections again and again, for so long."""
        until = time.monotonic() + seconds
        with self._report.phase("busy"):
            while (left := until - time.monotonic()) > 0:
                self._clients.echo(numbers, patience=ECHO_PATIENCE_S, window=WINDOW, progress=lambda done: None)
                time.sleep(min(left, BUSY_EVERY_S))

    def drain(self, filled: Filled, *, capacity: int, within: float) -> float | None:
        """Close everything, and wait until every port is free again.

        Return how many seconds after the last close that was; None if it was not within `within` seconds, or if
        the gateway does not know.
        """
        held = len(filled.established)
        with self._report.phase("drain"):
            self._clients.close(
                EVERY_NUMBER, window=WINDOW, progress=lambda done: self._report.progress(done, held)
            )
            closed = time.monotonic()
            while (waited := time.monotonic() - closed) <= within:
                free = self._lab.gateway.counters(self._protocol)["ports_free"]
                if free == capacity:
                    return waited
                self._report.progress(free or 0, capacity)
                time.sleep(POOL_LOOK_EVERY_S)
        return None

    @property
    def targets(self) -> list[Endpoint]:
        """Where the servers answer."""
        return self._servers.targets

    def sightings(self) -> list[Sighting]:
        """Return whom the servers have seen so far."""
        return self._servers.sightings()


def opening(number: int, clients: Sequence[int], targets: Sequence[Endpoint], *, own_port: bool) -> Opening:
    """Return who makes an attempt, to where, and from which port: the targets in turn, then the clients."""
    turn, target = divmod(number - 1, len(targets))
    round_, place = divmod(turn, len(clients))
    port = 0
    if own_port:
        # Each client begins at another part of all ports.
        first = place * (MOST_PORTS // len(clients))
        port = FIRST_PORT + (first + round_ * len(targets) + target) % MOST_PORTS
    return Opening(number, clients[place], targets[target], port)
