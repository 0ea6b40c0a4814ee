"""A controller outside of the sandbox: whether what answers is one, and what the switch's end is told."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.machines import free_port
from tests.support.paths import ROOT
from topologies.gateways.app.relay import no_controller

HELLO = bytes([4, 0, 0, 8, 0, 0, 0, 1])


@pytest.mark.parametrize("first", [HELLO, HELLO[:1], bytes([1, 0]), b""], ids=["1.3", "one byte", "1.0", "closed"])
def test_a_greeting_is_known_whatever_its_version(first: bytes) -> None:
    """And in whatever pieces it comes. That a connection is closed is found when it is read."""
    assert no_controller(first) == ""


@pytest.mark.parametrize("first", [b"HTTP/1.1 400 Bad Request\r\n", bytes([4, 2, 0, 8]), bytes([9, 0])])
def test_what_is_no_greeting_is_shown(first: bytes) -> None:
    """A web server, a message before the greeting, and a version that there is none of."""
    assert no_controller(first) == f"what answers there is no OpenFlow controller: it begins with {first!r}"


def test_silence_is_no_greeting() -> None:
    """A controller may accept connections and be stopped, for example."""
    assert no_controller(None) == "the controller did not answer the switch's greeting (OFPT_HELLO)"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The relay's end and the controller's end of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_bytes_go_both_ways_until_the_controller_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    """Then the program ends with a sentence, since its end is the end of the run."""
    ours, theirs = ends
    command = [sys.executable, "-P", "-m", "topologies.gateways.app.relay", str(ours.fileno())]
    with (
        free_port() as port,
        subprocess.Popen(
            [*command, str(port)], cwd=ROOT, pass_fds=[ours.fileno()], stdout=subprocess.PIPE
        ) as relay,
    ):
        try:
            theirs.sendall(HELLO)
            with _connected(port, relay) as switch:
                switch.sendall(HELLO)
                assert theirs.recv(len(HELLO)) == switch.recv(len(HELLO)) == HELLO
                theirs.shutdown(socket.SHUT_RDWR)
                words, _ = relay.communicate(timeout=60)
        finally:
            relay.kill()

    assert (relay.returncode, words) == (1, b"the controller closed the connection\n")


def _connected(port: int, relay: subprocess.Popen[bytes]) -> socket.socket:
    """Return a connection to the relay as soon as it listens."""
    while True:
        assert relay.poll() is None, "it has ended"
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            continue
