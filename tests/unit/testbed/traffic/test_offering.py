"""What hosts outside offer: files of any size, the endpoint of a client, and echo."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from testbed.traffic.offering import PIECE, ZEROS, Echo, EchoServer, Web, WebServer, serve_tcp, size_of

LOCAL = "127.0.0.1"


@pytest.fixture
def web() -> Iterator[str]:
    """Serve HTTP on this machine, and return the address of its root."""
    os.truncate(ZEROS, PIECE)
    with socket.create_server((LOCAL, 0)) as listening:
        serve_tcp(WebServer, Web, listening.dup())
        yield "http://{}:{}/".format(*listening.getsockname())


@pytest.mark.parametrize(
    ("path", "size"),
    [("/0", 0), ("/1500", 1500), ("/3k", 3072), ("/10M", 10 << 20), ("/4GiB", 4 << 30), ("/x", None), ("/", None)],
)
def test_a_path_names_the_size_of_a_file(path: str, size: int | None) -> None:
    """In powers of two."""
    assert size_of(path) == size


def test_a_file_has_its_size(web: str) -> None:
    """A larger one than what is sent at once."""
    with urllib.request.urlopen(f"{web}{2 * PIECE + 1}") as response:
        data = response.read()

    assert data == bytes(2 * PIECE + 1)


def test_the_root_names_the_client_s_endpoint(web: str) -> None:
    """As the server sees it."""
    with urllib.request.urlopen(web) as response:
        address, port = response.read().decode().strip().split(":")

    assert address == LOCAL
    assert int(port)


def test_what_is_sent_is_read(web: str) -> None:
    """Its number of bytes comes back."""
    with urllib.request.urlopen(web, data=bytes(100_000)) as response:
        assert response.read() == b"100000\n"


def test_there_is_nothing_else(web: str) -> None:
    """The answer says what there is."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{web}index.html")


def test_echo_returns_every_byte() -> None:
    """Until the client has sent all."""
    with socket.create_server((LOCAL, 0)) as listening:
        serve_tcp(EchoServer, Echo, listening.dup())
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").read() == b"hello"
