"""The scenario's end of a worker's orders."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.traffic import drive
from testbed.traffic.drive import Clients, TrafficError, Worker
from testbed.traffic.records import Opening


@pytest.fixture
def worker() -> Any:
    """A worker's other end, in this process, and the worker; it is never waited for."""
    ends: list[socket.socket] = []

    def start(name: str, command: list[str], log: Path, *, pass_fds: list[int]) -> None:
        ends.extend(socket.socket(fileno=os.dup(descriptor)) for descriptor in pass_fds)

    made = Worker(SimpleNamespace(start=start), "client-1", "client", Path("/nonexistent"))  # type: ignore[arg-type]
    yield ends[0], made
    made.connection.close()
    ends[0].close()


def test_orders_and_answers_are_lines(worker: Any) -> None:
    """One read may return several lines, or part of one."""
    end, made = worker
    made.order(do="echo")
    assert end.recv(100) == b'{"do": "echo"}\n'

    end.sendall(b'{"done": 1}\n{"answer": []}\n{"do')
    assert made.read() == [{"done": 1}, {"answer": []}]


def test_a_worker_that_has_gone_is_an_error_for_orders_and_answers_alike(worker: Any) -> None:
    """Both errors have the same words."""
    end, made = worker
    end.close()

    with pytest.raises(TrafficError, match="client-1 has closed its orders"):
        made.order(do="echo")
    with pytest.raises(TrafficError, match="client-1 has closed its orders"):
        made.read()


def test_a_worker_that_takes_nothing_is_not_awaited_for_ever(worker: Any) -> None:
    """Orders that a worker does not read fill a buffer, and then end in an error."""
    _, made = worker
    made.connection.settimeout(0.01)

    with pytest.raises(TrafficError, match="client-1 did not answer within"):
        made.order(do="x" * (16 << 20))


def test_what_has_room_is_over_in_all_workers_before_any_begins_what_is_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that is done sooner would take the ports of another's attempts."""
    monkeypatch.setattr(drive, "workers_needed", lambda sockets: 2)
    ends: list[socket.socket] = []

    def start(name: str, command: list[str], log: Path, *, pass_fds: list[int]) -> None:
        ends.extend(socket.socket(fileno=os.dup(descriptor)) for descriptor in pass_fds)

    supervisor: Any = SimpleNamespace(start=start)
    clients = Clients(supervisor, Path("/nonexistent"), "tcp", {"netns": ["10.0.0.2"]}, 8)
    workers = [end.makefile("rw") for end in ends]
    orders: list[tuple[list[int], bool, bool]] = []

    def work() -> None:
        for _ in range(2):
            for worker in workers:
                order = json.loads(worker.readline())
                numbers = [number for number, *_ in order["attempts"]]
                orders.append((numbers, order["has_room"], order["goes_on"]))
            for worker, (numbers, _, _) in zip(workers, orders[-2:], strict=True):
                ending = ["timeout", "", ["10.0.0.2", 9], ["", 0], ["198.51.100.1", 7], 1.0, 2.0, 0]
                worker.write(json.dumps({"answer": [[number, number, *ending] for number in numbers]}) + "\n")
                worker.flush()

    working = threading.Thread(target=work, daemon=True)
    working.start()
    opened = clients.open(
        [Opening(number, 0, ("198.51.100.1", 7)) for number in range(1, 8)],
        patience=1.0,
        first_window=2,
        window=4,
        progress=lambda done: None,
        ahead=3,
    )
    working.join(drive.ANSWER_WITHIN_S)

    assert orders == [
        ([1, 3], True, False),
        ([2], True, False),
        ([4, 6], False, True),
        ([5, 7], False, True),
    ]
    assert [attempt.number for attempt in opened] == list(range(1, 8))
    for end in (*workers, *ends):
        end.close()
