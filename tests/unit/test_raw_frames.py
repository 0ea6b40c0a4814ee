"""Raw frames: byte by byte what Scapy makes, and a load that is closed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from testbed.traffic.bulk import Outgoing
from testbed.traffic.flight import Arrival, Flight
from testbed.traffic.frames import Kind, Maker, Station

ALICE = Station("02:00:0a:00:00:01", "10.0.0.1")
ROUTER_MAC, SERVER = "02:00:0a:00:ff:fe", "198.51.100.1"
OUTER = Ether(src=ALICE.mac, dst=ROUTER_MAC) / IP(src=ALICE.address, dst=SERVER, id=0, flags="DF", ttl=64)
ports = st.integers(0, 65535)
numbers = st.integers(0, 2**32 - 1)


@given(source=ports, target=ports, number=numbers, payload=st.integers(4, 1400))
def test_a_datagram_is_what_scapy_makes(source: int, target: int, number: int, payload: int) -> None:
    """With its checksum, and the number at the head of the payload."""
    made = Maker(Kind.DATAGRAM, ALICE, SERVER, ROUTER_MAC, payload=payload).frame(source, target, number)

    data = number.to_bytes(4, "big") + bytes(payload - 4)
    assert made == bytes(OUTER / UDP(sport=source, dport=target) / Raw(data))


@pytest.mark.parametrize(
    ("kind", "flags", "sequence", "acknowledged"),
    [(Kind.SYN, "S", 0, None), (Kind.SYN_ACK, "SA", 0, 1), (Kind.FIN, "FA", 1, 1), (Kind.RST, "RA", 1, 1)],
)
@given(source=ports, target=ports, number=numbers)
def test_a_segment_is_what_scapy_makes(
    kind: Kind, flags: str, sequence: int, acknowledged: int | None, source: int, target: int, number: int
) -> None:
    """Both ends begin their sequence numbers with the flow's."""
    made = Maker(kind, ALICE, SERVER, ROUTER_MAC).frame(source, target, number)

    segment = TCP(
        sport=source,
        dport=target,
        flags=flags,
        seq=(number + sequence) % 2**32,
        ack=0 if acknowledged is None else (number + acknowledged) % 2**32,
        window=64240,
    )
    assert made == bytes(OUTER / segment)


class Wire:
    """A wire in memory that delivers in the next round, but for the frames that it loses."""

    def __init__(self, loses: set[int]) -> None:
        self._loses = loses
        self._under_way: list[int] = []
        self.most_under_way = 0

    def send(self, _frames: Outgoing, position: int, most: int) -> int:
        """Take up to three frames."""
        taken = range(position, position + min(most, 3))
        self._under_way += [each for each in taken if each not in self._loses]
        self.most_under_way = max(self.most_under_way, len(self._under_way))
        return len(taken)

    def arrivals(self) -> list[Arrival]:
        """Deliver all, each twice."""
        arrived = [(time.time(), position) for position in self._under_way for _ in range(2)]
        self._under_way.clear()
        return arrived


def flown(wire: Wire, count: int, window: int) -> Iterator[float]:
    """Fly so many frames, and yield how many were sent and arrived."""
    frames = Outgoing([bytes(60)] * count)
    landing = Flight(frames, wire.send, wire.arrivals, lambda done: None).fly(window=window, patience=0.01)
    yield from (landing.sent, landing.arrived)


def test_no_more_frames_are_under_way_than_the_window_allows() -> None:
    """So that no queue overflows; a frame that comes twice counts once."""
    wire = Wire(loses=set())

    assert list(flown(wire, 100, window=8)) == [100, 100]
    assert wire.most_under_way == 8


def test_lost_frames_leave_the_window_and_are_counted() -> None:
    """Or the flight would never end: as many are lost as the window has room for."""
    wire = Wire(loses={0, 1, 2, 3, 50, 99})

    assert list(flown(wire, 100, window=4)) == [100, 94]
