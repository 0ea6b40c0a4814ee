"""The scenario's side of the traffic: starts the workers, spreads attempts over them, gathers the answers."""

from __future__ import annotations

import json
import math
import resource
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.sandbox.supervision import Supervisor

MOST_WORKERS = 32
FILES_TO_SPARE = 512
FILES_USED_SHARE = 0.8
"""Share of a process's open files that is planned for sockets: the kernel spreads them unevenly."""
ANSWER_WITHIN_S = 60.0
PID_1_ACTS_WITHIN_S = 5.0
WORST_RATE_S = 100.0
"""Attempts a second on the slowest machine that is waited for."""
CLOSE_PATIENCE_S = 10.0

Progress = Callable[[int], None]


class TrafficError(Exception):
    """A worker did not answer in time."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt, as its own host saw it; times are of the monotonic clock."""

    number: int
    nonce: int
    outcome: str
    detail: str
    source: tuple[str, int]
    seen: tuple[str, int]
    sent_at: float
    done_at: float

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Attempt:
        """Read a worker's row."""
        return cls(**{**row, "source": tuple(row["source"]), "seen": tuple(row["seen"])})


@dataclass(frozen=True, slots=True)
class Sighting:
    """A client as a server saw it: who (by nonce), from which endpoint, when first and when last."""

    nonce: int
    address: str
    port: int
    first: float
    last: float


def workers_needed(sockets: int) -> int:
    """Return how many processes it takes to hold so many sockets, by this machine's limit of open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usable = int((hard - FILES_TO_SPARE) * FILES_USED_SHARE) if hard != resource.RLIM_INFINITY else 1 << 20
    return math.ceil(sockets / usable) if usable > 0 else MOST_WORKERS + 1


class Worker:
    """A running worker program."""

    def __init__(self, supervisor: Supervisor, name: str, program: str, folder: Path, *arguments: str) -> None:
        ours, theirs = socket.socketpair()
        self.name = name
        self.connection = ours
        self._unread = b""
        command = [
            sys.executable,
            "-P",
            "-m",
            f"scenarios.traffic.{program}",
            str(theirs.fileno()),
            *arguments,
        ]
        self.process = supervisor.start(name, command, folder / f"{name}.log", pass_fds=[theirs.fileno()])
        theirs.close()

    def order(self, **order: Any) -> None:
        """Write one line."""
        self.connection.sendall(json.dumps(order).encode() + b"\n")

    def read(self) -> list[dict[str, Any]]:
        """Read the lines that have come, at least one. Raises TrafficError if none comes in time."""
        self.connection.settimeout(ANSWER_WITHIN_S)
        while b"\n" not in self._unread:
            try:
                part = self.connection.recv(1 << 20)
            except TimeoutError:
                raise TrafficError(f"{self.name} did not answer within {ANSWER_WITHIN_S:.0f} s") from None
            if not part:
                time.sleep(PID_1_ACTS_WITHIN_S)  # it knows how the worker ended, and ends us
                raise TrafficError(f"{self.name} has closed its orders")
            self._unread += part
        *lines, self._unread = self._unread.split(b"\n")
        return [json.loads(line) for line in lines]


class Traffic:
    """Attempts from many hosts to one server address and port."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        *,
        protocol: str,
        client_pids: list[int],
        server_pid: int,
        target: tuple[str, int],
        attempts: int,
        held: int,
    ) -> None:
        """Start the workers: for `attempts` in all, of which `held` stay open."""
        _raise_open_files()
        self._protocol = protocol
        self._target = target
        self._client_pids = client_pids
        clients = workers_needed(attempts)
        servers = workers_needed(held) if protocol == "tcp" else 1
        self._clients = [Worker(supervisor, f"client-{n}", "client", folder) for n in range(1, clients + 1)]
        arguments = (str(server_pid), target[0], str(target[1]), protocol)
        self._servers = [
            Worker(supervisor, f"server-{n}", "server", folder, *arguments) for n in range(1, servers + 1)
        ]
        for server in self._servers:
            server.read()
        self._nonce = 0

    def open(
        self, numbers: range, *, patience: float, first_window: int, window: int, progress: Progress
    ) -> list[Attempt]:
        """Open attempts with these numbers, over the clients in turn; return them in order."""
        plans: list[list[tuple[int, int, int]]] = [[] for _ in self._clients]
        hosts = len(self._client_pids)
        for number in numbers:
            host = (number - 1) % hosts
            self._nonce += 1
            plans[(number - 1) % len(plans)].append((number, self._nonce, self._client_pids[host]))
        orders = [
            {
                "do": "open",
                "protocol": self._protocol,
                "target": self._target,
                "attempts": plan,
                "patience": patience,
                "first_window": self._share(first_window),
                "window": self._share(window),
            }
            for plan in plans
        ]
        rows = self._ask(orders, len(numbers) / WORST_RATE_S + patience, progress)
        return sorted((Attempt.from_row(row) for row in rows), key=lambda attempt: attempt.number)

    def echo(self, numbers: range, *, patience: float, window: int, progress: Progress) -> set[int]:
        """Exchange data on the established attempts among these numbers.

        Return the numbers of those that were answered, and seen from the same external endpoint as before.
        """
        order = {
            "do": "echo",
            "numbers": (numbers.start, numbers.stop - 1),
            "patience": patience,
            "window": self._share(window),
        }
        return set(self._ask([order] * len(self._clients), 600 + patience, progress))

    def close(self, *, rate: float, held: int) -> None:
        """Close the attempts that are open, in an orderly way, `rate` of them a second."""
        order = {"do": "close", "rate": rate / len(self._clients), "patience": CLOSE_PATIENCE_S}
        self._ask([order] * len(self._clients), held / rate + CLOSE_PATIENCE_S, lambda done: None)

    def sightings(self) -> list[Sighting]:
        """Ask the servers whom they have seen so far."""
        seen = []
        for server in self._servers:
            server.order(do="report")
            (answer,) = server.read()
            seen += [Sighting(*row) for row in answer["seen"]]
        return seen

    def _share(self, window: int) -> int:
        return max(1, window // len(self._clients))

    def _ask(self, orders: list[dict[str, Any]], within: float, progress: Progress) -> list[Any]:
        """Give each client its order, and gather what they answer."""
        for client, order in zip(self._clients, orders, strict=True):
            client.order(**order)
        done = dict.fromkeys(self._clients, 0)
        gathered: list[Any] = []
        for client, record in self._records(within + ANSWER_WITHIN_S):
            if "answer" in record:
                gathered += record["answer"]
            else:
                done[client] = record["done"]
                progress(sum(done.values()))
        return gathered

    def _records(self, within: float) -> Iterator[tuple[Worker, dict[str, Any]]]:
        """Yield the clients' records until each has answered. Raises TrafficError after a deadline."""
        deadline = time.monotonic() + within
        poll = select.poll()
        waiting = {client.connection.fileno(): client for client in self._clients}
        for descriptor in waiting:
            poll.register(descriptor, select.POLLIN)
        while waiting:
            if time.monotonic() > deadline:
                raise TrafficError(f"the traffic was not done within {within:.0f} s")
            for descriptor, _ in poll.poll(1000):
                client = waiting[descriptor]
                for record in client.read():
                    yield client, record
                    if "answer" in record:
                        poll.unregister(descriptor)
                        del waiting[descriptor]


def _raise_open_files() -> None:
    """Use what the machine allows; workers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
