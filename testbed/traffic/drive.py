"""The scenario's side of the traffic: it starts workers, orders attempts from them, and gathers the answers."""

from __future__ import annotations

import itertools
import json
import math
import resource
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.records import Attempt, Lived, Opening, Sent, Served, Sighting
from testbed.traffic.wire import Endpoint, nonce_of

MOST_WORKERS = 32
FILES_TO_SPARE = 512
FILES_USED_SHARE = 0.8
"""Share of a process's open files that is planned for sockets, since the kernel spreads them unevenly."""
ANSWER_WITHIN_S = 60.0
WORST_RATE_S = 100.0
"""Attempts a second on the slowest machine, by which deadlines are set."""
CLOSE_PATIENCE_S = 10.0
LATEST = 4
EXCHANGE_PATIENCE_S = 1.0
LIVING_WITHIN_S = 2.0
"""Seconds within which a connection that is to carry a transfer answers first."""
LONGEST_ROUND_S = 600.0
"""Seconds within which any machine has gone through all connections once."""

Progress = Callable[[int], None]

_attempts = itertools.count(1)
_numbers = itertools.count(1)


def next_nonce(netns: str | None = None) -> int:
    """Return a nonce that no other attempt of this run has. With `netns` it names a client."""
    number = next(_attempts)
    return number if netns is None else nonce_of(netns, number)


class TrafficError(Exception):
    """A worker did not answer in time."""


def workers_needed(sockets: int) -> int:
    """Return the number of processes that can hold `sockets` sockets, by this machine's limit of open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usable = int((hard - FILES_TO_SPARE) * FILES_USED_SHARE) if hard != resource.RLIM_INFINITY else 1 << 20
    return math.ceil(sockets / usable) if usable > 0 else MOST_WORKERS + 1


class Worker:
    """A worker program that runs, and the socket to it."""

    def __init__(
        self,
        supervisor: Supervisor,
        name: str,
        program: str,
        folder: Path,
        *arguments: str,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Start it with these arguments, and with these descriptors of ours open."""
        ours, theirs = socket.socketpair()
        self.name = name
        self.connection = ours
        self._unread = b""
        command = [
            sys.executable,
            "-P",
            "-m",
            f"testbed.traffic.{program}",
            str(theirs.fileno()),
            *arguments,
        ]
        log = folder / f"{name}.log"
        self.process = supervisor.start(name, command, log, pass_fds=[theirs.fileno(), *descriptors])
        theirs.close()

    def order(self, **order: Any) -> None:
        """Send an order, one line. Raises TrafficError if the worker does not read it."""
        try:
            self.connection.sendall(json.dumps(order).encode() + b"\n")
        except TimeoutError:
            raise self._silence() from None
        except (BrokenPipeError, ConnectionResetError):
            raise self._end() from None

    def read(self) -> list[dict[str, Any]]:
        """Read the lines that have come, at least one. Raises TrafficError if none comes in time."""
        self.connection.settimeout(patient(ANSWER_WITHIN_S))
        while b"\n" not in self._unread:
            try:
                part = self.connection.recv(1 << 20)
            except TimeoutError:
                raise self._silence() from None
            except ConnectionResetError:
                part = b""  # it ended before it had read everything
            if not part:
                raise self._end()
            self._unread += part
        *lines, self._unread = self._unread.split(b"\n")
        return [json.loads(line) for line in lines]

    def _silence(self) -> TrafficError:
        return TrafficError(f"{self.name} did not answer within {patient(ANSWER_WITHIN_S):.0f} s")

    def _end(self) -> TrafficError:
        """Return the error about a worker that has closed its orders: PID 1 knows how it ended."""
        return TrafficError(f"{self.name} has closed its orders")


class Servers:
    """Outside servers that answer at some endpoints, each by its host's network namespace."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        protocol: str,
        targets: Mapping[Endpoint, str],
        capacity: int,
        *,
        is_silent: bool = False,
    ) -> None:
        """Start as many workers as it takes to hold `capacity` connections. Those that are silent never answer."""
        raise_open_files()
        self._protocol = protocol
        count = workers_needed(capacity) if protocol == "tcp" else 1
        listeners = json.dumps([[netns, *target] for target, netns in targets.items()])
        number = next(_numbers)
        self._workers = [
            Worker(
                supervisor,
                f"{protocol}-server-{number}-{n}",
                "server",
                folder,
                protocol,
                listeners,
                *(["silent"] if is_silent else []),
            )
            for n in range(1, count + 1)
        ]
        for worker in self._workers:
            worker.read()
        self.targets = list(targets)
        self._told: dict[Worker, tuple[int, list[Sighting]]] = dict.fromkeys(self._workers, (0, []))

    def sightings(self) -> list[Sighting]:
        """Return the clients seen so far. A worker without answers since the last call sends no rows again."""
        for worker in self._workers:
            answers, _ = self._told[worker]
            worker.order(do="report", answers=answers)
            (told,) = worker.read()
            if told["answers"] != answers:
                seen = [Sighting.from_row(row, self._protocol) for row in told["seen"]]
                self._told[worker] = told["answers"], seen
        return [sighting for _, seen in self._told.values() for sighting in seen]

    def arrived(self) -> dict[int, int]:
        """Return the bytes of each transfer that arrived as they were sent, by the client's nonce."""
        right: dict[int, int] = {}
        for worker in self._workers:
            worker.order(do="arrived")
            (told,) = worker.read()
            right.update(told["arrived"])
        return right


class Clients:
    """Attempts from inside hosts, each by its network namespace, to any servers of one protocol.

    A host with several addresses uses them in turn, attempt by attempt.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        protocol: str,
        hosts: Mapping[str, list[str]],
        attempts: int,
        settled: Callable[[list[Attempt]], list[Attempt]] = list,
        *,
        rate: float | None = None,
    ) -> None:
        """Start as many workers as it takes for `attempts` attempts at once.

        `settled` returns attempts with what others know of their outcome. If there is a `rate`, no more attempts
        begin in a second.
        """
        raise_open_files()
        self._settled, self._rate = settled, rate
        self.protocol = protocol
        self._hosts = list(hosts.items())
        self._open: dict[int, tuple[Attempt, str]] = {}
        number = next(_numbers)
        self._clients = [
            Worker(supervisor, f"{protocol}-client-{number}-{n}", "client", folder, protocol)
            for n in range(1, workers_needed(attempts) + 1)
        ]

    def open(
        self,
        openings: Sequence[Opening],
        *,
        patience: float,
        first_window: int,
        window: int,
        progress: Progress,
        ahead: int = 0,
        window_ahead: int = 0,
    ) -> list[Attempt]:
        """Make these attempts in their order, keep those that are established, and return all by their numbers.

        At first `first_window` of them are under way at once. When some stay without an answer, that grows up to
        `window`. There is room for the first `ahead`, which are over before any other begins. Of these,
        `window_ahead` are under way at once if that is more.
        """
        rows: list[Any] = []
        for part, has_room in ((openings[:ahead], True), (openings[ahead:], False)):
            if not part:
                continue
            orders = [
                {
                    "do": "open",
                    "attempts": [self._planned(opening) for opening in share],
                    "patience": patience,
                    "first_window": self._share(max(first_window, window_ahead) if has_room else first_window),
                    "window": self._share(window),
                    "has_room": has_room,
                    "goes_on": bool(rows),
                    "rate": self._rate and self._rate / len(self._clients),
                }
                for share in self._spread(part)
            ]
            slowest = min(WORST_RATE_S, self._rate or WORST_RATE_S)
            rows += self._ask(orders, len(part) / slowest + 2 * patience, progress)
        opened = self._attempts(rows)
        netns = {opening.number: self._hosts[opening.client][0] for opening in openings}
        self._open.update(
            (each.number, (each, netns[each.number])) for each in opened if each.outcome == "established"
        )
        return opened

    def serve(self, plan: Sequence[Served], *, patience: float, progress: Progress) -> list[Attempt]:
        """Make these attempts by the clock, in the order of their start, and close each after its holding time."""
        orders = [
            {
                "do": "serve",
                "attempts": [self._planned(served.opening) for served in part],
                "times": [(served.start, served.holding_time) for served in part],
                "patience": patience,
            }
            for part in self._spread(plan)
        ]
        longest = max((served.start + served.holding_time for served in plan), default=0.0)
        return self._attempts(self._ask(orders, longest + len(plan) / WORST_RATE_S + patience, progress))

    def living(self, plan: Sequence[Lived], *, patience: float, began: float) -> list[Asked]:
        """Return what `lived` sends to each worker, and takes from it."""
        return [
            Asked(
                worker,
                {
                    "do": "live",
                    "attempts": [self._planned(lived.opening) for lived in part],
                    "lives": [(lived.start, lived.lasts, lived.talks, lived.parting) for lived in part],
                    "patience": patience,
                    "began": began,
                },
                self._attempts,
            )
            for worker, part in zip(self._clients, self._spread(plan), strict=True)
        ]

    def echo(self, numbers: range, *, patience: float, window: int, progress: Progress) -> set[int]:
        """Exchange data on each established connection among these numbers.

        Return the numbers of those that were answered, and whose external endpoint was the same as before.
        """
        order = {
            "do": "echo",
            "numbers": (numbers.start, numbers.stop - 1),
            "patience": patience,
            "window": self._share(window),
        }
        answered = set(self._ask([order] * len(self._clients), LONGEST_ROUND_S + patience, progress))
        for number in [number for number in self._open if number in numbers and number not in answered]:
            del self._open[number]
        return answered

    def latest(self) -> list[tuple[Attempt, str]]:
        """Return the latest attempts that may still be open, each with its host's network namespace."""
        return list(itertools.islice(reversed(self._open.values()), LATEST))

    def exchange(self, number: int) -> bool:
        """Exchange data on one attempt, and return whether it was answered. After that, UDP takes answers only."""
        order = {"do": "narrow", "number": number}
        self._ask([order] * len(self._clients), EXCHANGE_PATIENCE_S, lambda done: None)
        numbers = range(number, number + 1)
        return number in self.echo(numbers, patience=EXCHANGE_PATIENCE_S, window=1, progress=lambda done: None)

    def close(self, numbers: range, *, window: int, progress: Progress) -> None:
        """Close the open connections among these numbers in an orderly way, `window` of them at once."""
        order = {
            "do": "close",
            "numbers": (numbers.start, numbers.stop - 1),
            "patience": CLOSE_PATIENCE_S,
            "window": self._share(window),
        }
        self._ask([order] * len(self._clients), LONGEST_ROUND_S + CLOSE_PATIENCE_S, progress)
        self._open = {number: each for number, each in self._open.items() if number not in numbers}

    def transfer(self, *, size: int, hosts: Sequence[str]) -> list[Sent]:
        """Carry out a transfer on a connection of each worker that is still open, in datagrams of `size` bytes.

        There is none of a worker whose newest connections no longer answer. Shorter ones follow for `hosts`, by
        their network namespaces.
        """
        order = {"do": "transfer", "size": size, "patience": LIVING_WITHIN_S, "hosts": list(hosts)}
        rows = self._ask([order] * len(self._clients), LONGEST_ROUND_S, lambda done: None)
        return [Sent(self.protocol, Attempt.from_row(row), *seen) for row, *seen in rows]

    def _planned(self, opening: Opening) -> tuple[Any, ...]:
        netns, sources = self._hosts[opening.client]
        if opening.address is not None:
            source = sources[opening.address]
        else:
            turn = (opening.number - 1) // len(self._hosts)
            source = sources[turn % len(sources)] if len(sources) > 1 else ""
        return (opening.number, next_nonce(netns), netns, opening.target, source, opening.source_port)

    def _spread(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        """Deal items out to the workers in turn."""
        return [items[worker :: len(self._clients)] for worker in range(len(self._clients))]

    def _attempts(self, rows: list[Any]) -> list[Attempt]:
        return self._settled(sorted((Attempt.from_row(row) for row in rows), key=lambda attempt: attempt.number))

    def _share(self, window: int) -> int:
        return max(1, window // len(self._clients))

    def _ask(self, orders: list[dict[str, Any]], within: float, progress: Progress) -> list[Any]:
        """Send each client its order, and gather their answers."""
        asked = [Asked(client, order, list) for client, order in zip(self._clients, orders, strict=True)]
        return _gathered(asked, within, progress)


def lived(
    plans: Mapping[Clients, Sequence[Lived]],
    *,
    patience: Callable[[str], float],
    progress: Progress,
) -> list[Attempt]:
    """Make the attempts of several clients by one clock, and return all by their numbers.

    Each plan is in the order of its starts, which count from now. `patience` is that of a protocol.
    """
    began = time.monotonic()
    asked = [
        each
        for clients, plan in plans.items()
        for each in clients.living(plan, patience=patience(clients.protocol), began=began)
    ]
    every = [each for plan in plans.values() for each in plan]
    longest = max((each.start + each.lasts for each in every), default=0.0)
    attempts = _gathered(asked, longest + len(every) / WORST_RATE_S, progress)
    return sorted(attempts, key=lambda attempt: attempt.number)


@dataclass(frozen=True, slots=True)
class Asked:
    """An order to a worker, and what makes a list of its answer."""

    worker: Worker
    order: dict[str, Any]
    taken: Callable[[list[Any]], list[Any]]


def _gathered(asked: Sequence[Asked], within: float, progress: Progress) -> list[Any]:
    """Send each worker its order, and gather their answers."""
    for each in asked:
        each.worker.order(**each.order)
    taken = {each.worker: each.taken for each in asked}
    done = dict.fromkeys(taken, 0)
    gathered: list[Any] = []
    for worker, record in _records(list(taken), patient(within + ANSWER_WITHIN_S)):
        if "answer" in record:
            gathered += taken[worker](record["answer"])
        else:
            done[worker] = record["done"]
            progress(sum(done.values()))
    return gathered


def _records(workers: Sequence[Worker], within: float) -> Iterator[tuple[Worker, dict[str, Any]]]:
    """Yield the workers' records until each has answered.

    Raises TrafficError if nothing moves for `within` seconds. A slow machine may take longer in all.
    """
    deadline, done = time.monotonic() + within, dict.fromkeys(workers, 0)
    poll = select.poll()
    waiting = {worker.connection.fileno(): worker for worker in workers}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting:
        if time.monotonic() > deadline:
            raise TrafficError(f"the traffic did not move for {within:.0f} s")
        for descriptor, _ in poll.poll(1000):
            worker = waiting[descriptor]
            for record in worker.read():
                yield worker, record
                if record.get("done", 0) > done[worker]:
                    deadline, done[worker] = time.monotonic() + within, record["done"]
                if "answer" in record:
                    poll.unregister(descriptor)
                    del waiting[descriptor]


def raise_open_files() -> None:
    """Raise this process's limit of open files to the most that the machine allows. Workers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
