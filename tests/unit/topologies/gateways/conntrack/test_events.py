"""What the kernel reports of connections, as events: messages are read by their places, and by nothing else."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import struct
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.recording import RECORD, Kind, RecordingPlan, Release
from tests.support.processes import DEADLINE_S
from topologies.gateways.conntrack.events import Events, drain, pump
from topologies.gateways.conntrack.messages import Change, connections

INSIDE, SERVER, EXTERNAL = "10.0.0.3", "198.51.100.1", "192.0.2.1"
NEW, UPDATE, DESTROY = (0x0100, 0x0600), (0x0100, 0), (0x0102, 0)


PORTS = range(2000, 3000)
MOST_LINES = 5000


def attribute(kind: int, *parts: bytes, nested: bool = False) -> bytes:
    """Return a netlink attribute."""
    data = b"".join(parts)
    padded = data + bytes(-len(data) % 4)
    return struct.pack("=HH", 4 + len(data), kind | nested << 15) + padded


def tuple_of(kind: int, source: str, destination: str, protocol: int, one: int, other: int) -> bytes:
    """Return a connection's tuple of one direction. Of a ping, `one` is the identifier."""
    ports = [struct.pack("!H", one), struct.pack("!H", other)]
    if protocol == 1:
        of_protocol = [attribute(4, ports[0]), attribute(5, b"\x08"), attribute(6, b"\x00")]
    else:
        of_protocol = [attribute(2, ports[0]), attribute(3, ports[1])]
    addresses = [attribute(1, socket.inet_aton(source)), attribute(2, socket.inet_aton(destination))]
    proto = attribute(2, attribute(1, bytes([protocol])), *of_protocol, nested=True)
    return attribute(kind, attribute(1, *addresses, nested=True), proto, nested=True)


def message(
    change: tuple[int, int], *, protocol: int = 6, inside: str = INSIDE, external: str = EXTERNAL, port: int = 1030
) -> bytes:
    """Return a message about a connection from port 40000 inside to port 7."""
    there = tuple_of(1, inside, SERVER, protocol, 40000, 7)
    back = tuple_of(2, SERVER, external, protocol, port if protocol == 1 else 7, port)
    body = bytes([socket.AF_INET, 0, 0, 0]) + there + back + attribute(12, bytes(4))
    kind, flags = change
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


@pytest.mark.parametrize(("protocol", "name"), [(6, "tcp"), (17, "udp"), (1, "icmp")])
@pytest.mark.parametrize(
    ("kind", "change"), [(NEW, Change.NEW), (UPDATE, Change.CLOSING), (DESTROY, Change.ENDED)], ids=str
)
def test_a_message_is_read(kind: tuple[int, int], change: Change, protocol: int, name: str) -> None:
    """The host inside is the original source, and the external endpoint the destination of the answers."""
    (found,) = connections(message(kind, protocol=protocol))

    assert (found.change, found.protocol, found.port) == (change, name, 1030)
    assert ipaddress.IPv4Address(found.inside) == ipaddress.IPv4Address(INSIDE)
    assert ipaddress.IPv4Address(found.external) == ipaddress.IPv4Address(EXTERNAL)


def test_several_messages_in_one_datagram_are_read() -> None:
    """And what is behind them, and is none, is not."""
    data = message(NEW) + message(DESTROY, port=1031) + b"\x07"

    assert [found.port for found in connections(data)] == [1030, 1031]


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    """The kernel of another version may send other messages: they are passed over."""
    for _ in connections(data + message(NEW)[:40]):
        pass


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_message_with_another_byte_is_read_or_passed_over(place: int, value: int) -> None:
    """No place can hurt."""
    data = bytearray(message(NEW))
    data[place % len(data)] = value

    assert len(list(connections(bytes(data)))) <= 1


def recorded(*messages: tuple[bytes, float]) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    """Return the events of messages, without their times, and the line that has them."""
    events = Events(RecordingPlan(0.0, 5, 100, 10), [int(ipaddress.IPv4Address(EXTERNAL))])
    for data, now in messages:
        for connection in connections(data):
            events.take(connection, now)
    line = events.line(3, 9.0)
    rows = [row[1:] for row in RECORD.iter_unpack(base64.b64decode(line["events"]))]
    return rows, line


def test_a_connection_s_life_is_recorded() -> None:
    """It is closing once, whatever else the kernel reports, and its port is free when it has ended."""
    rows, line = recorded(
        (message(NEW), 1.0), (message(UPDATE), 2.0), (message(UPDATE), 2.5), (message(DESTROY), 3.0)
    )

    assert rows == [
        (Kind.ALLOCATED, 0, 5, 1030, 100),
        (Kind.CLOSING, 0, 5, 1030, 100),
        (Kind.RELEASED, Release.CLOSED << 4, 5, 1030, 100),
        (Kind.FREED, 0, 5, 1030, 100),
    ]
    assert line["subscribers"] == [(100, INSIDE)]
    assert line["missed"] == 3
    assert line["gauges"]["tcp"] == {"ports_allocated": 0}


def test_two_sessions_of_one_port_count_as_one_port() -> None:
    """The gauge is that of `conntrack -L`: external endpoints that differ."""
    _, line = recorded(
        (message(NEW), 1.0),
        (message(NEW, inside="10.0.0.4"), 1.0),
        (message(NEW, inside="10.0.0.5", port=1031), 1.0),
    )

    assert line["gauges"]["tcp"] == {"ports_allocated": 2}
    assert line["gauges"]["total_sessions"] == 3


@pytest.mark.parametrize(
    "choices", [{"external": INSIDE}, {"inside": EXTERNAL}, {"external": "192.0.2.9"}], ids=str
)
def test_what_is_not_translated_is_no_event(choices: dict[str, Any]) -> None:
    """A connection to the router itself, or one of another pool."""
    rows, _ = recorded((message(NEW, **choices), 1.0))

    assert rows == []


@pytest.mark.parametrize(
    ("told", "table", "expected"),
    [
        ([], [message(NEW)], [(Kind.ALLOCATED, 1030)]),
        ([message(NEW)], [], [(Kind.ALLOCATED, 1030), (Kind.RELEASED, 1030), (Kind.FREED, 1030)]),
        ([message(NEW)], [message(UPDATE)], [(Kind.ALLOCATED, 1030), (Kind.CLOSING, 1030)]),
        (
            [message(NEW)],
            [message(NEW, port=1031)],
            [(Kind.ALLOCATED, 1030), (Kind.RELEASED, 1030), (Kind.FREED, 1030), (Kind.ALLOCATED, 1031)],
        ),
        ([message(DESTROY), message(UPDATE)], [], []),
    ],
    ids=["a beginning", "an end", "a closing", "an end and another beginning", "a beginning and its end"],
)
def test_what_was_lost_is_recorded_when_the_table_is_read(
    told: list[bytes], table: list[bytes], expected: list[tuple[Kind, int]]
) -> None:
    """Each port is then as the kernel has it, and nothing is recorded twice."""
    events = Events(RecordingPlan(0.0, 5, 100, 10), [int(ipaddress.IPv4Address(EXTERNAL))])
    for connection in connections(b"".join(told)):
        events.take(connection, 1.0)

    for _ in range(2):
        events.correct(connections(b"".join(table)), 2.0)

    rows = RECORD.iter_unpack(base64.b64decode(events.line(3, 9.0)["events"]))
    assert [(Kind(row[1]), row[4]) for row in rows] == expected


def test_a_reader_that_takes_nothing_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that Ctrl-Z has stopped: meanwhile messages are read, and then it gets each event."""
    monkeypatch.setattr("topologies.gateways.conntrack.events.BATCH_EVERY_S", 0.001)  # a line at every turn
    events = Events(RecordingPlan(0.0, 5, 100, 10), [int(ipaddress.IPv4Address(EXTERNAL))])
    kernel, tell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    out, reader = socket.socketpair()
    kernel.setblocking(False)
    out.setblocking(False)
    while True:  # no room for a byte
        try:
            out.send(bytes(1 << 16))
        except BlockingIOError:
            break
    out.setblocking(True)
    with kernel, tell, out, reader:
        tell.settimeout(DEADLINE_S)
        pumping = threading.Thread(target=pump, args=[kernel, events, out], daemon=True)
        pumping.start()
        for port in PORTS:
            tell.send(message(NEW, port=port))  # waits as soon as a few are not read
        recorded, lines = [], reader.makefile("r")
        for _ in range(MOST_LINES):
            line = json.loads(lines.readline().lstrip("\0"))
            assert not line.get("missed")
            rows = RECORD.iter_unpack(base64.b64decode(line.get("events", "")))
            recorded += [row[4] for row in rows if row[1] == Kind.ALLOCATED]
            if len(recorded) == len(PORTS):
                break
        assert recorded == [*PORTS]
        lines.close()
        reader.close()
        pumping.join(DEADLINE_S)
        assert not pumping.is_alive()


def test_messages_that_a_line_has_no_room_for_are_left_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is missed, however long nobody takes a line."""
    monkeypatch.setattr("topologies.gateways.conntrack.events.MOST_IN_LINE", 6)
    events = Events(RecordingPlan(0.0, 5, 100, 10), [int(ipaddress.IPv4Address(EXTERNAL))])
    kernel, tell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, tell:
        kernel.setblocking(False)
        for number in range(8):
            tell.send(message(NEW, inside=f"10.0.1.{number}", port=2000 + number))

        drained = [(drain(kernel, events), events.line(0, 9.0)) for _ in range(3)]

    assert [is_all for is_all, _ in drained] == [False, False, True]
    assert [len(base64.b64decode(line["events"])) // RECORD.size for _, line in drained] == [3, 3, 2]
    assert [line["missed"] for _, line in drained] == [0, 0, 0]


HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
STEPS = st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(1024, 1026), st.booleans(), st.booleans()))


@given(STEPS, st.integers(0, 30))
def test_whatever_is_lost_the_table_makes_it_right(
    steps: list[tuple[str, int, bool, bool]], read_after: int
) -> None:
    """Also if what happened while the table was read is told again afterwards, as the kernel does."""
    events = Events(RecordingPlan(0.0, 5, 100, 10), [int(ipaddress.IPv4Address(EXTERNAL))])
    live: dict[str, int] = {}
    tables, messages = [], []
    for host, port, is_lost, closes in steps:
        if host in live:
            change = UPDATE if closes else DESTROY
            told = message(change, inside=host, port=live[host])
            if not closes:
                del live[host]
        else:
            live[host] = port
            told = message(NEW, inside=host, port=port)
        tables.append(dict(live))
        messages.append((told, is_lost))
    read_after = min(read_after, len(messages))
    pending = messages[read_after:]
    for told, is_lost in messages[:read_after]:
        if not is_lost:
            take_all(events, told)

    then = tables[-1] if tables else {}
    events.correct(connections(b"".join(message(NEW, inside=host, port=port) for host, port in then.items())), 2.0)
    for told, _ in pending:
        take_all(events, told)

    line = events.line(0, 9.0)
    assert line["gauges"]["tcp"] == {"ports_allocated": len(set(then.values()))}
    assert line["gauges"]["total_sessions"] == len(then)


def take_all(events: Events, data: bytes) -> None:
    """Give the events what messages are about."""
    for connection in connections(data):
        events.take(connection, 1.0)
