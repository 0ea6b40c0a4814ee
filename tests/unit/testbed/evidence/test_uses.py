"""Who shares an external endpoint, by what hosts sent and what arrived: only what is certain counts."""

from __future__ import annotations

import struct

from testbed.evidence.uses import ACK, FIN, RST, SYN, Seen, seen, sharing_connections, sharing_datagrams

ALICE, BOB, SERVER = 0, 1, 2
"""Places of hosts."""
OF = {ALICE: ("10.0.0.1", 5000), BOB: ("10.0.0.2", 6000)}
EXTERNAL, OTHER, TARGET = ("192.0.2.1", 1024), ("192.0.2.1", 1025), ("198.51.100.1", 7)
KEEP_S = 100.0


def opened(host: int, at: float, number: int, external: tuple[str, int] = EXTERNAL) -> list[Seen]:
    """Return what is seen of a connection that is answered."""
    return [
        Seen(at, host, True, OF[host], TARGET, SYN, number),
        Seen(at + 0.01, SERVER, False, external, TARGET, SYN, number),
        Seen(at + 0.02, host, False, TARGET, OF[host], SYN | ACK, 77),
    ]


def sent(host: int, at: float, data: bytes, external: tuple[str, int] = EXTERNAL) -> list[Seen]:
    """Return what is seen of a datagram."""
    return [
        Seen(at, host, True, OF[host], TARGET, 0, data),
        Seen(at + 0.01, SERVER, False, external, TARGET, 0, data),
    ]


def test_a_connection_on_an_open_one_of_another_host_shares() -> None:
    """One was answered, and no end of it was seen."""
    assert sharing_connections(opened(ALICE, 0, 1) + opened(BOB, 1, 2), KEEP_S) == 1


def test_ports_that_differ_are_not_shared() -> None:
    """Each has its own."""
    assert sharing_connections(opened(ALICE, 0, 1) + opened(BOB, 1, 2, OTHER), KEEP_S) == 0


def test_a_host_may_use_its_own_endpoint_again() -> None:
    """A kernel that lost a connection begins a new one."""
    assert sharing_connections(opened(ALICE, 0, 1) + opened(ALICE, 1, 2), KEEP_S) == 0


def test_a_connection_that_either_end_has_ended_is_free_to_be_followed() -> None:
    """The end may be seen at the client alone, since the NAT may have dropped it."""
    reset = Seen(0.5, ALICE, True, OF[ALICE], TARGET, RST, 3)
    ended = Seen(0.5, SERVER, True, TARGET, EXTERNAL, FIN | ACK, 3)

    assert sharing_connections([*opened(ALICE, 0, 1), reset, *opened(BOB, 1, 2)], KEEP_S) == 0
    assert sharing_connections([*opened(ALICE, 0, 1), ended, *opened(BOB, 1, 2)], KEEP_S) == 0


def test_a_connection_that_was_never_answered_may_be_forgotten() -> None:
    """Its mapping lives for the opening timer only."""
    assert sharing_connections([*opened(ALICE, 0, 1)[:2], *opened(BOB, 1, 2)], KEEP_S) == 0


def test_a_silent_connection_may_be_forgotten_in_time() -> None:
    """After the declared time nobody knows."""
    assert sharing_connections(opened(ALICE, 0, 1) + opened(BOB, KEEP_S, 2), KEEP_S) == 0


def test_datagrams_of_two_hosts_in_turn_share() -> None:
    """The one amid two of the other."""
    turns = sent(ALICE, 0, b"a") + sent(BOB, 1, b"b") + sent(ALICE, 2, b"c")

    assert sharing_datagrams(turns, KEEP_S) == 1
    assert sharing_datagrams(turns, 1.9) == 0


def test_an_endpoint_that_goes_from_one_host_to_another_is_not_shared() -> None:
    """The first does not come back."""
    assert sharing_datagrams(sent(ALICE, 0, b"a") + sent(BOB, 1, b"b") + sent(BOB, 2, b"c"), KEEP_S) == 0


def test_a_server_that_echoes_is_not_taken_for_the_sender() -> None:
    """It has sent the same content."""
    turns = sent(ALICE, 0, b"a") + sent(BOB, 1, b"b") + sent(ALICE, 2, b"c")
    echoed = [Seen(each.at, SERVER, True, TARGET, EXTERNAL, 0, each.content) for each in turns[1::2]]

    assert sharing_datagrams(turns + echoed, KEEP_S) == 1


def test_a_content_that_two_hosts_sent_leads_to_nobody() -> None:
    """Such as a greeting."""
    turns = sent(ALICE, 0, b"hello") + sent(BOB, 1, b"hello") + sent(ALICE, 2, b"hello")

    assert sharing_datagrams(turns, KEEP_S) == 0


def test_a_frame_is_read_behind_options_of_its_ip_header() -> None:
    """The length of the header says where the transport begins."""
    header = bytes([0x46, 0]) + bytes(7) + bytes([17]) + bytes(2) + bytes([10, 0, 0, 1]) + bytes([198, 51, 100, 1])
    frame = bytes(14) + header + bytes(4) + struct.pack("!HHHH", 5000, 7, 12, 0) + b"data"

    assert seen(frame, at=1.0, host=ALICE, is_own=True) == Seen(1.0, ALICE, True, OF[ALICE], TARGET, 0, b"data")
