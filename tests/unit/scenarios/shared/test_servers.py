"""The server in the scenario's own process, which a NAT that mixes up connections must not disturb."""

from __future__ import annotations

import os
import socket

import pytest

from scenarios.shared.clients import NO_LINGERING, listen
from scenarios.shared.servers import Server
from testbed.traffic.wire import HELLO

WITHIN_S = 60


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


def free_port() -> int:
    """Return a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
