"""How an attempt ended, by the error that its kernel names."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

import pytest

from testbed.traffic.bpf import TAKE_NOTHING, attach
from testbed.traffic.kernel import IcmpError, first_sequence, outcome_of

REPAIR = 19
MESSAGE = IcmpError(3, 13, "10.0.255.254")


@pytest.mark.parametrize(
    ("error", "icmp", "queued", "outcome"),
    [
        (errno.EHOSTUNREACH, MESSAGE, True, "icmp"),
        (errno.ECONNREFUSED, MESSAGE, True, "icmp"),
        (errno.EHOSTUNREACH, None, False, "icmp"),
        (errno.EHOSTUNREACH, None, True, "timeout"),
        (errno.ETIMEDOUT, None, True, "timeout"),
        (errno.ETIMEDOUT, None, False, "timeout"),
        (errno.ECONNREFUSED, None, True, "reset"),
        (errno.ECONNRESET, None, False, "reset"),
    ],
    ids=lambda value: errno.errorcode[value] if type(value) is int else str(value),
)
def test_an_error_has_one_outcome(error: int, icmp: IcmpError | None, queued: bool, outcome: str) -> None:
    """An error is ICMP's only with a message, or where no message could be kept: ARP finds no host as well."""
    assert outcome_of(error, icmp, queued=queued) == outcome


@pytest.mark.parametrize("error", [errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENOBUFS])
def test_what_our_own_end_lacks_is_no_outcome(error: int) -> None:
    """A shortage on our own side would be taken for the NAT's refusal."""
    with pytest.raises(OSError, match="not by the NAT") as raised:
        outcome_of(error, None)

    assert raised.value.errno == error


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel shows sequence numbers to root alone")
@pytest.mark.parametrize("end", ["none", "orderly", "reset"])
def test_the_number_of_a_connection_s_syn_is_known_as_long_as_its_socket(end: str) -> None:
    """It is the same before and after data, and the connection goes on as if nobody had looked."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        server, _ = listener.accept()
        first = first_sequence(client, sent=0)
        client.send(bytes(16))
        assert server.recv(32) == bytes(16)
        if end == "reset":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end != "none":
            server.close()
            select.select([client], [], [])

        assert first is not None
        assert first_sequence(client, sent=16) == first
        assert client.getsockopt(socket.IPPROTO_TCP, REPAIR) == 0
        if end == "none":
            client.send(b"on")
            assert server.recv(32) == b"on"
            server.close()


def test_a_muted_listener_is_as_nobody() -> None:
    """Neither a SYN nor a datagram has an answer, not even the one that the port is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        attach(listener, TAKE_NOTHING)
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        assert select.select([listener, client], [client], [], 0.1) == ([], [], [])
    with (
        socket.socket(type=socket.SOCK_DGRAM) as listener,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        listener.bind(("127.0.0.1", 0))
        attach(listener, TAKE_NOTHING)
        client.connect(listener.getsockname())
        client.send(b"anybody?")
        assert select.select([listener, client], [], [], 0.1) == ([], [], [])
