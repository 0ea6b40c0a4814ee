"""The server in the scenario's own process, which a NAT that mixes up connections must not disturb."""

from __future__ import annotations

import os
import socket
import time

import pytest

from scenarios.shared.clients import NO_LINGERING, listen
from scenarios.shared.servers import Server
from testbed.traffic.wire import HELLO

WITHIN_S = 60
APART_S = 0.05


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network namespace")
def test_a_connection_that_is_reset_before_its_answer_ends_and_the_others_go_on() -> None:
    """The hello was read, so the client was seen. That its answer finds nobody is no failure of the server."""
    server = Server("/proc/self/ns/net", ("127.0.0.1", port := free_port()))
    with socket.create_connection(("127.0.0.1", port)) as client:
        listen(server.listeners(), WITHIN_S)
        client.sendall(HELLO.pack(7, 9))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    listen(server.listeners(), WITHIN_S)

    (seen,) = server.sightings()
    assert seen.nonce == 7
    assert server.connections[7].awaits == 0
    server.connections[7].vanish()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network namespace")
def test_datagrams_were_seen_when_they_came_and_not_when_the_scenario_had_time_for_them() -> None:
    """All are taken at once. On a slow machine the scenario asks seconds later, and the NAT is not to blame."""
    server = Server("/proc/self/ns/net", ("127.0.0.1", port := free_port()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        for nonce in range(5):
            client.send(HELLO.pack(nonce, 9))
        sent = time.monotonic()
        while time.monotonic() < sent + 2 * APART_S:
            pass
        listen(server.listeners(), WITHIN_S)

    assert sorted(each.nonce for each in server.sightings()) == [*range(5)]
    assert [each for each in server.sightings() if each.first > sent + APART_S] == []


def free_port() -> int:
    """Return a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
