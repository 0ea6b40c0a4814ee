"""The clients' worker, in this process and this network namespace."""

from __future__ import annotations

import select
import socket
from typing import Any

import pytest

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.client import Client
from testbed.traffic.rounds import Round
from testbed.traffic.wire import ANSWER

PATIENCE_S = 60.0


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


def test_a_socket_that_was_narrowed_has_no_room_for_a_train_and_takes_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frames of the judge's that nobody reads are no datagrams that the machine has lost."""
    client = Client(NoOrders(), "udp")  # type: ignore[arg-type]
    monkeypatch.setattr(client, "_hosts", type("Here", (), {"enter": lambda self, netns: None})())

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answered(attempt: LiveAttempt) -> None:
            client.connect(attempt)
            server.sendto(ANSWER.pack(attempt.nonce, attempt.token, bytes(4), 9), attempt.source)

        attempt = LiveAttempt(1, 1, "", server.getsockname(), "", 0)
        Round(client, PATIENCE_S, 1, 1).run([attempt], answered)
        assert attempt.socket is not None
        client._attempts = [attempt]
        client._narrow(1)
        for size in (0, ANSWER.size - 1, ANSWER.size + 1, 1472, ANSWER.size):
            server.sendto(bytes(size), attempt.source)

        assert len(attempt.socket.recv(2048)) == ANSWER.size
        with pytest.raises(BlockingIOError):
            attempt.socket.recv(2048)
        attempt.socket.close()
