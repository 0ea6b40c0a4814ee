"""The scenario's end of a worker's orders."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.traffic.drive import TrafficError, Worker


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
