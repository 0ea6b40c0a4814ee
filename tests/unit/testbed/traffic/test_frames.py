"""Raw frames of flows: byte by byte what Scapy makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from testbed.traffic.frames import Kind, Maker, Station

ALICE = Station("02:00:0a:00:00:01", "10.0.0.1")
ROUTER_MAC, SERVER = "02:00:0a:00:ff:fe", "198.51.100.1"
OUTER = Ether(src=ALICE.mac, dst=ROUTER_MAC) / IP(src=ALICE.address, dst=SERVER, id=0, flags="DF", ttl=64)
ports = st.integers(0, 65535)
numbers = st.integers(0, 2**32 - 1)


@given(source=ports, target=ports, number=numbers, payload=st.integers(4, 1400))
def test_a_datagram_is_what_scapy_makes(source: int, target: int, number: int, payload: int) -> None:
    """Its checksum is right, and the number is at the head of the payload."""
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
