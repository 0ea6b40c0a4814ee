"""The server in the scenario's own process, which a NAT that mixes up connections must not disturb."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from scenarios.shared.clients import NO_LINGERING, listen
from scenarios.shared.servers import Server
from testbed.traffic.wire import HELLO
from tests.support.machines import own_network

WITHIN_S = 60
APART_S = 0.05
TARGET = ("127.0.0.1", 7)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server in a network of its own, where nobody else has its port."""
    if os.geteuid() != 0:
        pytest.skip("only root may enter a network namespace")
    with own_network():
        yield Server("/proc/thread-self/ns/net", TARGET)


def test_a_connection_that_is_reset_before_its_answer_ends_and_the_others_go_on(server: Server) -> None:
    """The hello was read, so the client was seen. That its answer finds nobody is no failure of the server."""
    with socket.create_connection(TARGET) as client:
        listen(server.listeners(), WITHIN_S)
        client.sendall(HELLO.pack(7, 9))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    listen(server.listeners(), WITHIN_S)

    (seen,) = server.sightings()
    assert seen.nonce == 7
    assert server.connections[7].awaits == 0
    server.connections[7].vanish()


def test_datagrams_were_seen_when_they_came_and_not_when_the_scenario_had_time_for_them(
    server: Server,
) -> None:
    """All are taken at once. On a slow machine the scenario asks seconds later, and the NAT is not to blame."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(TARGET)
        for nonce in range(5):
            client.send(HELLO.pack(nonce, 9))
        sent = time.monotonic()
        while time.monotonic() < sent + 2 * APART_S:
            pass
        listen(server.listeners(), WITHIN_S)

    assert sorted(each.nonce for each in server.sightings()) == [*range(5)]
    assert [each for each in server.sightings() if each.first > sent + APART_S] == []
