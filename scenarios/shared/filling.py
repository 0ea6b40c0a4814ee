"""Filling a NAT with connections, using them, draining it: what experiments about exhaustion have in common."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.api import FIRST_PORT, MOST_PORTS, Attempt, Endpoint, Experiment, Opening, Sighting

WINDOW = 256
"""The most attempts under way at once."""
MOST_PER_CLIENT = 64_512
"""The most connections of one client to one server and port: it has as many ports from 1024 upward."""
SLOWEST_RATE = 1000.0
"""Connections a second that every machine can open."""
IDLE_SPARE_S = 6.0
"""Seconds by which idle timers are longer than a fill should take, besides the patience."""
ECHO_PATIENCE_S = 8.0
POOL_LOOK_EVERY_S = 0.05
RELEASE_SLACK_S = 5.0
"""Seconds that a NAT may take, beyond the timers and the time of all closes, until every port is free again."""
BUSY_EVERY_S = 0.2
EVERY_NUMBER = range(1, 1 << 31)
QUICK_RELEASE: dict[str, Any] = {"tcp_trans_close_timeout": 1, "tcp_rst_timeout": 1, "hold_down_timeout": 0}
"""Settings that release ports faster than the RFCs recommend, so that an experiment need not wait."""

BACK_IN_TIME = (
    *("tcp_trans_close_timeout", "tcp_rst_timeout"),
    *("hold_down_fin_timeout", "hold_down_rst_timeout", "hold_down_idle_timeout"),
)
"""The timers by which a TCP port comes back, if a question follows what the NAT declares of that."""


def outlasting(attempts: int, *, besides: float) -> float:
    """Return a time that is `besides` seconds longer than `attempts` attempts take."""
    return math.ceil(besides + attempts / SLOWEST_RATE)


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of the attempts of one fill, in their order."""

    attempts: list[Attempt]
    seconds: float

    @property
    def rate(self) -> float:
        """The number of connections that were established a second."""
        opened = self.established
        return len(opened) / (max(a.done_at for a in opened) - opened[0].sent_at) if opened else math.inf

    def __add__(self, later: Filled) -> Filled:
        return Filled(self.attempts + later.attempts, self.seconds + later.seconds)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.attempts)

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def established(self) -> list[Attempt]:
        """The attempts that were established."""
        return [attempt for attempt in self.attempts if attempt.outcome == "established"]

    @property
    def first_failure(self) -> Attempt | None:
        """The first attempt that was not established."""
        return next((attempt for attempt in self.attempts if attempt.outcome != "established"), None)


@dataclass(frozen=True, slots=True)
class Drained:
    """The seconds from the last close until the pool was whole again, and `within`, the most that they may be.

    `seconds` is None if it took longer. `is_known` is whether the gateway knows how many ports are free.
    """

    seconds: float | None
    within: float
    is_known: bool = True


class Filling:
    """Connections from all clients to one or more services, and the pool that they take their ports from.

    Attempts go to the destinations in turn, and after each round of these the next client makes them. With
    `own_ports` no two attempts of one host have the same source port, and none of all hosts as long as the ports
    suffice. Otherwise a host's kernel may use one port toward several destinations.
    """

    def __init__(
        self,
        x: Experiment[Any],
        *,
        attempts: int,
        capacity: int | None = None,
        protocol: str = "",
        destinations: int = 1,
        own_ports: bool = False,
    ) -> None:
        """Start servers and clients for `attempts` attempts, of which `capacity` stay open (by default all)."""
        self._x = x
        self._own_ports = own_ports
        self._protocol = protocol or x.protocol
        room = attempts if capacity is None else capacity
        self._servers = x.lab.serve(self._protocol, destinations=destinations, capacity=room)
        self._clients = x.lab.drive(self._protocol, attempts=attempts)
        self._client_of: dict[int, int] = {}
        self._next = 1

    def fill(
        self,
        phase: str,
        attempts: int | range,
        *,
        in_order: int,
        patience: float | None = None,
        ahead: int = 0,
        clients: Sequence[int] | None = None,
    ) -> Filled:
        """Open attempts and keep them open. `attempts` is the number of new ones, or the range of their numbers.

        `clients` (by their places, by default all) make them in turn. As long as all are answered, `in_order` of
        them are under way at once: the smaller it is, the more exact is the order in which attempts fail. The
        first `ahead` are over before any other begins, so that none of the others takes a port of theirs.
        `patience` is by default the parameter of that name.
        """
        numbers = range(self._next, self._next + attempts) if isinstance(attempts, int) else attempts
        self._next = max(self._next, numbers.stop)
        started = time.monotonic()
        turns = clients if clients is not None else range(len(self._x.lab.clients))
        openings = [
            opening(number, place, turns, self._servers.targets, own_port=self._own_ports)
            for place, number in (enumerate(numbers) if clients is not None else ((n - 1, n) for n in numbers))
        ]
        self._client_of.update((each.number, each.client) for each in openings)
        wait = self._x.parameters.patience if patience is None else patience
        with self._x.phase(phase):
            opened = self._clients.open(
                openings,
                patience=wait,
                first_window=in_order,
                window=WINDOW,
                progress=lambda done: self._x.progress(done, len(numbers)),
                ahead=ahead,
                window_ahead=self._x.lab.links.together,
            )
        seconds = time.monotonic() - started
        if self._protocol != "tcp" and not self._x.promise.evicts:
            # Beyond that, an idle timer may have ended meanwhile.
            self._x.was_late(seconds - wait - len(numbers) / SLOWEST_RATE - IDLE_SPARE_S)
        return Filled(opened, seconds)

    def echo(self, numbers: range = EVERY_NUMBER, *, patience: float = ECHO_PATIENCE_S) -> set[int]:
        """Exchange data on each established connection among these numbers (by default all).

        Return the numbers of those that were answered, and whose external endpoint was the same as before.
        """
        total = min(len(numbers), self._next - 1)
        with self._x.phase("echo"):
            return self._clients.echo(
                numbers, patience=patience, window=WINDOW, progress=lambda done: self._x.progress(done, total)
            )

    def by_client(self, numbers: Collection[int]) -> list[int]:
        """Return the number of these attempts that each client made, in the clients' order."""
        counts = Counter(self._client_of[number] for number in numbers)
        return [counts[place] for place in range(len(self._x.lab.clients))]

    def keep_busy(self, numbers: range, seconds: float) -> None:
        """Exchange data on these connections again and again, for `seconds`."""
        until = time.monotonic() + seconds
        with self._x.phase("busy"):
            while (left := until - time.monotonic()) > 0:
                self._clients.echo(numbers, patience=ECHO_PATIENCE_S, window=WINDOW, progress=lambda done: None)
                time.sleep(min(left, BUSY_EVERY_S))

    def drain(self, filled: Filled) -> Drained:
        """Close all connections, and wait until every port is free again.

        If the gateway does not know how many ports are free, wait for the time that it declares to keep a port.
        """
        self._x.pause()
        settings, kept_open = self._x.settings, len(filled.established)
        _, latest = self._x.behaviour.port_back.value["close" if self._protocol == "tcp" else "udp"]
        # A gateway may count a port as allocated for longer than it keeps it from others.
        longest = max(latest, settings.tcp_trans_close_timeout * settings.time_scale)
        began = time.monotonic()
        with self._x.phase("drain"):
            self._clients.close(
                EVERY_NUMBER, window=WINDOW, progress=lambda done: self._x.progress(done, kept_open)
            )
            closed = time.monotonic()
            # In whole steps, so that results of quick machines can be compared.
            within = longest + RELEASE_SLACK_S * (1 + (closed - began) // RELEASE_SLACK_S)
            while (waited := time.monotonic() - closed) <= within:
                free = self._x.counters(self._protocol).get("ports_free")
                if free is None:
                    time.sleep(longest)
                    return Drained(None, within, is_known=False)
                if free == settings.capacity:
                    return Drained(waited, within)
                self._x.progress(free, settings.capacity)
                time.sleep(POOL_LOOK_EVERY_S)
        return Drained(None, within)

    @property
    def targets(self) -> list[Endpoint]:
        """The endpoints at which the servers answer."""
        return self._servers.targets

    def seen(self, filled: Filled) -> list[Endpoint]:
        """Return the external endpoints of the established attempts that the servers saw."""
        external = {sighting.nonce: sighting.external for sighting in self.sightings()}
        return [external[attempt.nonce] for attempt in filled.established if attempt.nonce in external]

    def sightings(self) -> list[Sighting]:
        """Return the clients that the servers have seen so far."""
        return self._servers.sightings()


def opening(
    number: int, place: int, clients: Sequence[int], targets: Sequence[Endpoint], *, own_port: bool
) -> Opening:
    """Return the attempt with a number: its client, target and source port. Targets come in turn, then clients.

    `place` is the attempt's place in the fill, from 0.
    """
    turn, target = divmod(place, len(targets))
    round_, client = divmod(turn, len(clients))
    port = 0
    if own_port:
        # Each client begins at another part of all ports.
        first = client * (MOST_PORTS // len(clients))
        port = FIRST_PORT + (first + round_ * len(targets) + target) % MOST_PORTS
    return Opening(number, clients[client], targets[target], port)
