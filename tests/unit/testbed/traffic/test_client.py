"""The clients' worker, in this process and this network namespace."""

from __future__ import annotations

import select
import socket
from typing import Any

import pytest

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.client import Client
from testbed.traffic.rounds import Round

PATIENCE_S = 5.0


class NoOrders:
    """A scenario's end that gives no orders and takes no answers."""

    def tell(self, **_: Any) -> None:
        """Take note of nothing."""


def test_an_end_that_comes_with_the_beginning_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server hangs up before its client has looked at all: one event shows both, and only once."""
    client = Client(NoOrders(), "tcp")  # type: ignore[arg-type]
    monkeypatch.setattr(client, "_hosts", type("Here", (), {"enter": lambda self, netns: None})())

    with socket.create_server(("127.0.0.1", 0)) as server:

        def connect(attempt: LiveAttempt) -> None:
            client.connect(attempt)
            accepted, _ = server.accept()
            accepted.shutdown(socket.SHUT_WR)
            held.append(accepted)  # or its reset would be an event of its own
            assert attempt.socket is not None
            watch = select.poll()
            watch.register(attempt.socket, select.POLLRDHUP)
            assert watch.poll(PATIENCE_S * 1000)

        held: list[socket.socket] = []
        attempt = LiveAttempt(1, 1, "", server.getsockname(), "", 0)
        Round(client, PATIENCE_S, 1, 1).run([attempt], connect)

    assert (attempt.outcome, attempt.detail) == ("reset", "ECONNRESET")
    assert attempt.done_at - attempt.sent_at < PATIENCE_S
