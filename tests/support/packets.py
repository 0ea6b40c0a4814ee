"""Packets and ICMP errors as Scapy writes them: with which tests compare what the controller reads and writes."""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, defragment, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw
from scapy.utils import checksum

from controller.nat.model import Endpoint, Protocol
from controller.openflow.frames import Ipv4

ETHERNET = Ether(src="02:00:c6:33:64:01", dst="02:00:c6:33:64:fe")
ALICE, EXTERNAL = Endpoint.parse("10.0.0.1:40000"), Endpoint.parse("192.0.2.1:1024")
SERVER = Endpoint.parse("198.51.100.1:7")
OPTIONS = [IPOption_NOP()] * 8
KINDS = {
    "TCP": Protocol.TCP,
    "UDP": Protocol.UDP,
    "UDP without checksum": Protocol.UDP,
    "echo request": Protocol.ICMP,
    "echo reply": Protocol.ICMP,
}


def text(endpoint: Endpoint) -> str:
    """Return its address as Scapy wants it."""
    return str(ipaddress.IPv4Address(endpoint.address))


def read(frame: Layer | bytes) -> Ipv4:
    """Return the frame as the controller reads it."""
    ip = Ipv4.parse(bytes(frame))
    assert ip is not None
    return ip


def packet(kind: str, source: Endpoint, destination: Endpoint, data: bytes = b"", **fields: object) -> Layer:
    """Return what a host sent; an endpoint's port is an echo request's source or an echo reply's destination."""
    transport = {
        "TCP": TCP(sport=source.port, dport=destination.port, seq=5, flags="S"),
        "UDP": UDP(sport=source.port, dport=destination.port),
        "UDP without checksum": UDP(sport=source.port, dport=destination.port, chksum=0),
        "echo request": ICMP(type=8, id=source.port, seq=3),
        "echo reply": ICMP(type=0, id=destination.port, seq=3),
    }[kind]
    return IP(src=text(source), dst=text(destination), ttl=63, **fields) / transport / Raw(data)


def about(
    embedded: Layer | bytes,
    source: Endpoint = SERVER,
    destination: Endpoint = EXTERNAL,
    *,
    icmp_type: int = 3,
    **fields: object,
) -> Layer:
    """Return a frame with an ICMP error; its code and its second word are there to be kept."""
    icmp = bytes([icmp_type, 4, 0, 0, 0, 0, 5, 0xDC]) + bytes(embedded)
    message = icmp[:2] + checksum(icmp).to_bytes(2, "big") + icmp[4:]
    return ETHERNET / IP(src=text(source), dst=text(destination), proto=1, **fields) / Raw(message)


def in_fragments(frame: Layer, size: int) -> list[Layer]:
    """Return the frames of a packet's fragments with `size` bytes of data each, as Scapy makes them."""
    return [Ether(bytes(each)) for each in fragment(Ether(bytes(frame)), fragsize=size)]


def put_together(fragments: list[Layer]) -> Layer:
    """Return the frame that Scapy makes of fragments, all of which have to be those of one packet."""
    (whole,) = defragment(fragments)
    return Ether(bytes(whole))


def corrupted(frame: Layer, offset: int) -> bytes:
    """Return the frame with one bit turned."""
    data = bytearray(bytes(frame))
    data[offset] ^= 0x10
    return bytes(data)


UDP_PACKET = packet("UDP", EXTERNAL, SERVER, b"data")


@st.composite
def hostile_frames(draw: st.DrawFn) -> bytes:
    """Return the bytes of a frame that may be anything, or almost a packet or an ICMP error."""
    if draw(st.booleans()):
        head = draw(st.sampled_from([b"", bytes(12) + b"\x08\x00", bytes(12) + b"\x08\x00\x45"]))
        return head + draw(st.binary(max_size=120))
    sent = packet(draw(st.sampled_from(sorted(KINDS))), EXTERNAL, SERVER, bytes(40))
    frame = bytearray(bytes(about(sent) if draw(st.booleans()) else ETHERNET / sent))
    for at, value in draw(st.lists(st.tuples(st.integers(14, 97), st.integers(0, 255)), max_size=4)):
        frame[at % len(frame)] = value
    del frame[len(frame) - draw(st.integers(0, 60)) :]
    if draw(st.booleans()):  # what has right checksums gets further
        frame[16:18] = (len(frame) - 14).to_bytes(2, "big")
        for start, end, at in ((42, 62, 52), (14, 34, 24), (34, len(frame), 36)):
            frame[at : at + 2] = b"\0\0"
            frame[at : at + 2] = checksum(bytes(frame[start:end])).to_bytes(2, "big")
    return bytes(frame)
