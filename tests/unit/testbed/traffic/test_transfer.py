"""Transfers: both ends compute what has to arrive, so that neither takes what it got for a measure."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from testbed.traffic.kernel import IP_RECVERR
from testbed.traffic.transfer import (
    BACK,
    DATAGRAMS,
    OUT,
    STREAM_BYTES,
    Arrived,
    between,
    head,
    pattern,
    payload_of,
    stream,
    train,
    wrong_bytes,
)

NONCE = 7
SIZE = 500
PATIENCE_S = 0.2

Change = Callable[[bytes], bytes]


def same(data: bytes) -> bytes:
    """Pass what is sent as it is."""
    return data


def scratched(data: bytes) -> bytes:
    """Change the byte at the 200th place, as the same NAT would in both directions."""
    return data[:200] + bytes([data[200] ^ 1]) + data[201:] if len(data) > 200 else data


@pytest.fixture
def streams() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a stream."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def serving(end: socket.socket, arrived: Arrived, *, out: Change = same, back: Change = same) -> threading.Thread:
    """Start a server of one transfer, behind something that changes what goes out, and what comes back."""

    def serve() -> None:
        buffer = b""
        while (whole := arrived.stream(buffer) if len(buffer) >= 16 else None) is None:
            buffer += end.recv(1 << 16)
            if len(buffer) == STREAM_BYTES + 16:
                buffer = buffer[:16] + out(buffer[16:])
        end.sendall(back(whole[0]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_stream_arrives_byte_by_byte_in_both_directions(streams: tuple[socket.socket, socket.socket]) -> None:
    """Each end has all bytes, and each has others."""
    arrived = Arrived()
    thread = serving(streams[1], arrived)

    assert stream(streams[0], NONCE) == 0
    thread.join()
    assert arrived.right() == [(NONCE, STREAM_BYTES)]
    assert pattern(NONCE, OUT, 32) != pattern(NONCE, BACK, 32)


def test_a_byte_that_is_changed_both_ways_is_seen_at_both_ends(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    """A mere echo would come back as it went."""
    arrived = Arrived()
    thread = serving(streams[1], arrived, out=scratched, back=scratched)

    assert stream(streams[0], NONCE) == 1
    thread.join()
    assert arrived.right() == [(NONCE, STREAM_BYTES - 1)]


def test_a_stream_that_stalls_is_given_up(streams: tuple[socket.socket, socket.socket]) -> None:
    """What did not come back is wrong, and the server notes what has come so far."""
    client, server = streams
    assert stream(client, NONCE, patience=PATIENCE_S) == STREAM_BYTES

    arrived = Arrived()
    arrived.broken_off(server.recv(1016))
    assert arrived.right() == [(NONCE, 1000)]


def test_a_stream_whose_other_end_is_gone_is_given_up(streams: tuple[socket.socket, socket.socket]) -> None:
    """No error reaches the scenario."""
    streams[1].close()

    assert stream(streams[0], NONCE) == STREAM_BYTES


def test_what_follows_a_transfer_in_a_stream_is_left(streams: tuple[socket.socket, socket.socket]) -> None:
    """A client's next hello may have come with the last bytes."""
    whole = head(NONCE, STREAM_BYTES) + pattern(NONCE, OUT, STREAM_BYTES)

    assert Arrived().stream(whole[:-1]) is None
    assert Arrived().stream(whole + b"hello") == (pattern(NONCE, BACK, STREAM_BYTES), b"hello")


def test_both_ends_of_a_stream_may_be_in_one_process(streams: tuple[socket.socket, socket.socket]) -> None:
    """It returns the bytes of each way that were wrong."""
    assert between(*streams, NONCE, patience=PATIENCE_S) == (0, 0)

    streams[1].shutdown(socket.SHUT_RDWR)
    assert between(*streams, NONCE, patience=PATIENCE_S) == (STREAM_BYTES, STREAM_BYTES)


@pytest.mark.parametrize("prefix", [b"", b"\x08" + bytes(7)], ids=["udp", "ping"])
def test_a_train_goes_on_where_datagrams_are_lost(prefix: bytes) -> None:
    """Each that is not answered goes again; any network may lose one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    arrived, came = Arrived(), 0

    def serve() -> None:
        nonlocal came
        try:
            while data := theirs.recv(2048):
                came += 1
                if came > 1:  # the first is lost
                    theirs.send(prefix + (arrived.datagram(data[len(prefix) :]) or b""))
        except BlockingIOError:
            pass

    with ours, theirs:
        assert train(ours, NONCE, SIZE, ping=bool(prefix), meanwhile=serve) == 0
    assert came == DATAGRAMS + 1
    assert arrived.right() == [(NONCE, DATAGRAMS * SIZE)]


def test_a_datagram_that_comes_back_changed_is_wrong_though_another_copy_is_right() -> None:
    """Only a datagram that does not come may come again."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    arrived = Arrived()

    def serve() -> None:
        try:
            while data := theirs.recv(2048):
                arrived.datagram(scratched(data))
                answer = arrived.datagram(data) or b""
                theirs.send(scratched(answer))
                theirs.send(answer)
        except BlockingIOError:
            pass

    with ours, theirs:
        assert train(ours, NONCE, SIZE, meanwhile=serve) == DATAGRAMS
    assert arrived.right() == [(NONCE, DATAGRAMS * (SIZE - 1))]


def test_a_train_that_nobody_answers_is_given_up() -> None:
    """All of it is wrong."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        assert train(ours, NONCE, SIZE, patience=PATIENCE_S) == DATAGRAMS * SIZE


def test_datagrams_of_no_transfer_are_no_business_of_it() -> None:
    """A hello is answered as ever."""
    assert Arrived().datagram(b"short") is None
    assert Arrived().datagram(bytes(16)) is None


def test_a_datagram_just_fits_into_a_packet() -> None:
    """IPv4's header has 20 bytes, UDP's and ICMP's have 8, and the transfer's own head has 16."""
    assert payload_of(1500) == 1456


@pytest.mark.parametrize(("got", "wrong"), [(b"abc", 0), (b"abd", 1), (b"ab", 1), (b"abcd", 1), (b"", 3)])
def test_bytes_that_differ_are_missing_or_too_many_are_wrong(got: bytes, wrong: int) -> None:
    """They are counted one by one."""
    assert wrong_bytes(b"abc", got) == wrong


def test_an_error_that_is_queued_ends_no_wait_before_its_time_and_no_transfer() -> None:
    """A datagram to a port that nobody has comes back as an ICMP error, which stays until it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        target = taken.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        client.connect(target)
        passes = 0

        def count() -> None:
            nonlocal passes
            passes += 1

        assert train(client, NONCE, SIZE, meanwhile=count, patience=PATIENCE_S) == DATAGRAMS * SIZE
    assert passes < 100
