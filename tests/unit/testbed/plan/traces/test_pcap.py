"""Packets, put together to connections."""

from __future__ import annotations

import io
import struct

import pytest

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.pcap import read
from testbed.plan.traces.record import Record, Trace, TraceError

ALICE, SERVER = Endpoint.parse("10.0.0.1:40000"), Endpoint.parse("198.51.100.1:443")
FIN, SYN, RST, ACK = 1, 2, 4, 16
GAP = 300.0


def frame(source: Endpoint, destination: Endpoint, flags: int | None = None, *, fragment: int = 0) -> bytes:
    """Return an Ethernet frame with a TCP segment, or with a datagram where there are no flags."""
    protocol = Protocol.UDP if flags is None else Protocol.TCP
    head = struct.pack(
        "!BBHHHBBHII", 0x45, 0, 40, 0, fragment, 64, protocol, 0, source.address, destination.address
    )
    ports = struct.pack("!HH", source.port, destination.port)
    rest = struct.pack("!IIBBHHH", 0, 0, 0x50, flags or 0, 0, 0, 0)
    return bytes(12) + b"\x08\x00" + head + ports + rest


def out(flags: int | None = None) -> bytes:
    """Return a frame of alice's."""
    return frame(ALICE, SERVER, flags)


def back(flags: int | None = None) -> bytes:
    """Return a frame of the server's."""
    return frame(SERVER, ALICE, flags)


def pcap(*packets: tuple[float, bytes], order: str = "<", parts: int = 1_000_000, link: int = 1) -> bytes:
    """Return a pcap file."""
    magic = 0xA1B2C3D4 if parts == 1_000_000 else 0xA1B23C4D
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, each in packets:
        data += struct.pack(f"{order}IIII", int(at), round(at % 1 * parts), len(each), len(each)) + each
    return data


def block(kind: int, body: bytes, order: str) -> bytes:
    """Return a block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def pcapng(*packets: tuple[float, bytes], order: str = "<", nanoseconds: bool = False) -> bytes:
    """Return a pcapng file with one interface."""
    option = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0) if nanoseconds else b""
    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    data += block(1, struct.pack(f"{order}HHI", 1, 0, 0) + option, order)
    for at, each in packets:
        time = round(at * (1e9 if nanoseconds else 1e6))
        head = struct.pack(f"{order}IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(each), len(each))
        data += block(5, b"", order) + block(6, head + each, order)
    return data


def traced(data: bytes) -> Trace:
    """Return the trace of a file."""
    return read(io.BytesIO(data), GAP)


WHOLE = (
    (10.0, out(SYN)),
    (10.1, back(SYN | ACK)),
    (12.0, out(FIN | ACK)),
    (12.5, back(FIN | ACK)),
    (12.6, out(ACK)),
)
RECORD = Record(10.0, 12.5, Protocol.TCP, ALICE, SERVER, Ending.FIN)


@pytest.mark.parametrize(
    "data",
    [
        pcap(*WHOLE),
        pcap(*WHOLE, order=">"),
        pcap(*WHOLE, parts=1_000_000_000),
        pcapng(*WHOLE),
        pcapng(*WHOLE, order=">"),
        pcapng(*WHOLE, nanoseconds=True),
        pcap(*((at, each[14:]) for at, each in WHOLE), link=101),
        pcap(*((at, each[:12] + b"\x81\x00\x00\x07" + each[12:]) for at, each in WHOLE)),
    ],
    ids=[
        "pcap",
        "big-endian",
        "nanoseconds",
        "pcapng",
        "pcapng big-endian",
        "pcapng nanoseconds",
        "raw ip",
        "vlan",
    ],
)
def test_a_connection_is_found_in_every_kind_of_file(data: bytes) -> None:
    """From its SYN to the second FIN."""
    found = traced(data).records

    assert [(round(each.at, 3), round(each.ends, 3), each.ending) for each in found] == [(10.0, 12.5, Ending.FIN)]
    assert (found[0].source, found[0].destination) == (ALICE, SERVER)


@pytest.mark.parametrize(
    ("packets", "ending", "ends"),
    [
        ([out(SYN), out(SYN)], Ending.UNANSWERED, 1),
        ([out(SYN), back(RST | ACK)], Ending.RESET, 1),
        ([out(SYN), back(SYN | ACK), out(ACK)], Ending.SILENCE, 2),
        ([out(SYN), back(SYN | ACK), out(FIN | ACK)], Ending.SILENCE, 2),
        ([out(), back(), out()], Ending.SILENCE, 2),
    ],
    ids=["unanswered", "reset", "open", "half-closed", "udp"],
)
def test_other_endings(packets: list[bytes], ending: Ending, ends: float) -> None:
    """A packet a second."""
    (found,) = traced(pcap(*((float(at), each) for at, each in enumerate(packets)))).records

    assert (found.ending, found.ends) == (ending, ends)


def test_a_gap_that_the_timer_does_not_bridge_divides_datagrams() -> None:
    """The NAT has a new mapping for the second part."""
    found = traced(pcap((0, out()), (GAP, out()), (2 * GAP + 1, out()))).records

    assert [(each.at, each.ends) for each in found] == [(0, 300), (601, 601)]


def test_the_same_endpoints_connect_again() -> None:
    """Once the first connection is over."""
    again = tuple((at + 100, each) for at, each in WHOLE)

    assert [each.at for each in traced(pcap(*WHOLE, *again)).records] == [10, 110]


def test_what_the_outside_begins_other_protocols_and_fragments_are_left_out() -> None:
    """And counted."""
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    trace = traced(
        pcap((0, back(SYN)), (1, arp), (2, frame(ALICE, SERVER, fragment=100)), (3, out(ACK)), (4, b"short"))
    )

    assert trace.records == []
    assert trace.left_out == {
        "packets of what an inside host did not begin": 2,
        "packets of other protocols, or fragments": 3,
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a", "it does not begin as a pcap or pcapng file"),
        (pcap(*WHOLE)[:10], "the file ends in the head of the file"),
        (pcap(*WHOLE)[:30], "packet 1: the file ends in its head"),
        (pcap(*WHOLE)[:-1], "the file ends in packet 5"),
        (pcap(*WHOLE, link=127), "link type 127 is none of 1, 101, 113"),
        (pcap() + struct.pack("<IIII", 0, 0, 1 << 31, 0), "packet 1: it has 2,147,483,648 bytes"),
        (pcapng(*WHOLE)[:-2], "the file ends in block after packet 4"),
        (pcapng() + struct.pack("<II", 6, 7), "after packet 0: a block has the length 7"),
        (pcapng() + block(6, struct.pack("<IIIII", 3, 0, 0, 0, 0), "<"), "packet 1: its interface or its length"),
        (pcapng() + block(3, bytes(4), "<"), "packet 1: it has no time"),
    ],
)
def test_a_damaged_file_is_refused_with_the_packet_and_the_reason(data: bytes, message: str) -> None:
    """Whatever was read before it."""
    with pytest.raises(TraceError) as refused:
        traced(data)

    assert str(refused.value).startswith(message)
