"""The log of a carrier: what its lines say, how many there are, and who had a port."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest

from controller.nat.port_set import Blocks
from testbed.natlog.keeping import Log
from testbed.natlog.lines import Assignment, Entry, LineError, parsed, read, stamp, time
from testbed.natlog.who import holders

ALICE, BOB = 0x64400001, 0x64400002
NAT = 0xC0000201
T = "2026-11-29T10:00:{:02}.000Z"


def kept(kind: str, *events: tuple[str, int, int, int]) -> list[str]:
    """Return the lines of a log about events: open or close, second, port, subscriber."""
    lines: list[str] = []
    log = Log(kind, Blocks(range(1024, 1024 + 64), 16), lines.append)
    for verb, second, port, subscriber in events:
        note = log.created if verb == "open" else log.released
        note(T.format(second), "tcp", NAT, port, subscriber)
    assert log.volume.lines == len(lines)
    assert log.volume.size == sum(len(line) + 1 for line in lines)
    return lines


def who(lines: list[str], port: int, second: int) -> list[str]:
    """Return the subscribers that had a port of the NAT at a second."""
    return [each.subscriber for each in holders(read(lines), "192.0.2.1", port, time(T.format(second)))]


EVENTS = (("open", 1, 1030, ALICE), ("close", 5, 1030, ALICE), ("open", 8, 1030, BOB), ("open", 9, 1031, BOB))


def test_a_log_of_mappings_has_a_line_for_each_beginning_and_each_end() -> None:
    """With protocol, external endpoint, inside address and time, and no destination (RFC 6888 REQ-12)."""
    assert kept("mappings", *EVENTS)[:2] == [
        "2026-11-29T10:00:01.000Z open tcp 192.0.2.1 1030 100.64.0.1",
        "2026-11-29T10:00:05.000Z close tcp 192.0.2.1 1030 100.64.0.1",
    ]
    assert len(kept("mappings", *EVENTS)) == 4


def test_a_log_of_blocks_has_a_line_when_a_block_changes_hands() -> None:
    """However many mappings there are in it (RFC 6888 REQ-14)."""
    assert kept("blocks", *EVENTS) == [
        "2026-11-29T10:00:01.000Z block tcp 192.0.2.1 1024-1039 100.64.0.1",
        "2026-11-29T10:00:08.000Z unblock tcp 192.0.2.1 1024-1039 100.64.0.1",
        "2026-11-29T10:00:08.000Z block tcp 192.0.2.1 1024-1039 100.64.0.2",
    ]


@pytest.mark.parametrize(
    ("second", "subscribers"), [(0, []), (1, ["100.64.0.1"]), (4, ["100.64.0.1"]), (5, []), (8, ["100.64.0.2"])]
)
def test_who_had_a_port_by_a_log_of_mappings(second: int, subscribers: list[str]) -> None:
    """From its beginning until before its end."""
    assert who(kept("mappings", *EVENTS), 1030, second) == subscribers


@pytest.mark.parametrize(("second", "subscribers"), [(0, []), (7, ["100.64.0.1"]), (8, ["100.64.0.2"])])
def test_who_had_a_port_by_a_log_of_blocks(second: int, subscribers: list[str]) -> None:
    """The owner of its block, until another subscriber gets it."""
    assert who(kept("blocks", *EVENTS), 1039, second) == subscribers
    assert who(kept("blocks", *EVENTS), 1040, second) == []


def test_protocols_have_ports_of_their_own() -> None:
    """The same port may be one subscriber's for TCP and another's for UDP."""
    lines = [
        "2026-11-29T10:00:00Z open tcp 192.0.2.1 5000 100.64.0.1",
        "2026-11-29T10:00:00Z open udp 192.0.2.1 5000 100.64.0.2",
    ]

    assert [
        (each.protocol, each.subscriber) for each in holders(read(lines), "192.0.2.1", 5000, time(T.format(1)))
    ] == [("tcp", "100.64.0.1"), ("udp", "100.64.0.2")]


DETERMINISTIC = Assignment(
    datetime(2026, 11, 29, tzinfo=UTC),
    ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    range(1024, 1024 + 100),
    16,
    ipaddress.IPv4Network("100.64.0.0/28"),
)


def test_the_inverse_of_a_deterministic_assignment_leads_back() -> None:
    """From each inside address to its block, and from each port of it back; no port is two addresses'."""
    ports = set()
    for inside in DETERMINISTIC.inside:
        address, block = DETERMINISTIC.block_of(str(inside))
        assert len(block) == 16
        for port in block:
            assert DETERMINISTIC.subscriber_of(address, port) == str(inside)
            ports.add((address, port))

    assert len(ports) == 16 * 16
    assert DETERMINISTIC.subscriber_of("192.0.2.1", 1024 + 99) is None
    assert DETERMINISTIC.subscriber_of("192.0.2.9", 1024) is None


def test_an_address_without_a_block_is_refused() -> None:
    """Outside of the network, or beyond the last block."""
    small = Assignment(DETERMINISTIC.at, ("192.0.2.1",), range(1024, 1056), 16, DETERMINISTIC.inside)

    assert small.room == 2
    for inside in ("100.64.0.2", "100.63.255.255"):
        with pytest.raises(ValueError, match="has no block"):
            small.block_of(inside)


def test_one_line_of_a_deterministic_assignment_is_enough_for_who() -> None:
    """At any time after it, and for any protocol."""
    lines = [DETERMINISTIC.line()]
    address, block = DETERMINISTIC.block_of("100.64.0.9")
    found = holders(read(lines), address, block[3], time("2030-01-01T00:00:00Z"))

    assert parsed(lines[0]) == DETERMINISTIC
    assert [(each.subscriber, each.protocol, each.ports) for each in found] == [("100.64.0.9", "any", block)]
    assert holders(read(lines), address, block[3], time("2020-01-01T00:00:00Z")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-11-29T10:00:00Z open tcp 192.0.2.1 5000", "it has 5 words and not 6"),
        ("yesterday open tcp 192.0.2.1 5000 100.64.0.1", "'yesterday' is no time"),
        ("2026-11-29T10:00:00Z opened tcp 192.0.2.1 5000 100.64.0.1", "'opened' is no verb; there are open"),
        ("2026-11-29T10:00:00Z open sctp 192.0.2.1 5000 100.64.0.1", "'sctp' is no protocol"),
        ("2026-11-29T10:00:00Z open tcp 192.0.2.300 5000 100.64.0.1", "192.0.2.300"),
        ("2026-11-29T10:00:00Z open tcp 192.0.2.1 70000 100.64.0.1", "'70000' are no ports"),
        ("2026-11-29T10:00:00Z block tcp 192.0.2.1 9-5 100.64.0.1", "'9-5' are no ports"),
        ("2026-11-29T10:00:00Z deterministic 192.0.2.1 1024-1039 64 100.64.0.0/24", "'64' is no number of ports"),
        ("x" * 5000, "it has 5,000 characters"),
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number_and_the_reason(line: str, reason: str) -> None:
    """Comments and empty lines count as lines."""
    with pytest.raises(LineError, match="line 3: ") as refused:
        list(read(["# a comment", "", line]))

    assert reason in str(refused.value)


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    """Whatever zone it had."""
    assert stamp(time("2026-11-29T12:00:00.1239+02:00")) == "2026-11-29T10:00:00.123Z"
    assert isinstance(parsed("2026-11-29T12:00:00+02:00 open tcp 192.0.2.1 1 100.64.0.1"), Entry)
