"""The filter by which kernels count what may begin a connection."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from testbed.evidence import tallies

INTERNET = IP(src="10.0.0.1", dst="198.51.100.1")
OPTIONS = IP(src="10.0.0.1", dst="198.51.100.1", options=[b"\x01" * 4])
COUNTED = {
    "a SYN": INTERNET / TCP(flags="S"),
    "a SYN with options of IPv4": OPTIONS / TCP(flags="S"),
    "a SYN with more flags": INTERNET / TCP(flags="SEC"),
    "a datagram": INTERNET / UDP() / b"hello",
    "the first fragment": IP(src="10.0.0.1", dst="198.51.100.1", flags="MF") / UDP() / b"hello",
    "a ping": INTERNET / ICMP(type=8),
    "a ping with options of IPv4": OPTIONS / ICMP(type=8),
}
OTHERS = {
    "a SYN that answers": INTERNET / TCP(flags="SA"),
    "data": INTERNET / TCP(flags="PA") / b"hello",
    "a FIN": INTERNET / TCP(flags="FA"),
    "a RST": INTERNET / TCP(flags="R"),
    "another fragment": IP(src="10.0.0.1", dst="198.51.100.1", frag=100) / UDP() / b"hello",
    "the answer to a ping": INTERNET / ICMP(type=0),
    "an ICMP error": INTERNET / ICMP(type=3, code=13),
    "another protocol": IP(src="10.0.0.1", dst="198.51.100.1", proto=47) / b"hello",
    "ARP": ARP(),
}


def passes(program: tallies.Program, packet: Packet) -> bool:
    """Return whether a frame passes the filter, by the kernel itself, on a pair of sockets."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    attached = struct.pack("HL", len(program), ctypes.addressof(code))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, 26, attached)  # SO_ATTACH_FILTER
        theirs.setblocking(False)
        with contextlib.suppress(PermissionError, BlockingIOError):
            ours.send(bytes(Ether() / packet))
            return bool(theirs.recv(2048))
    return False


@pytest.mark.parametrize("packet", COUNTED.values(), ids=COUNTED.keys())
def test_what_may_begin_a_connection_counts(packet: Packet) -> None:
    """A SYN, any datagram, an echo request."""
    assert passes(tallies._BEGINNING, packet)


@pytest.mark.parametrize("packet", OTHERS.values(), ids=OTHERS.keys())
def test_nothing_else_counts(packet: Packet) -> None:
    """No NAT makes a mapping for it."""
    assert not passes(tallies._BEGINNING, packet)


def test_what_a_host_gets_is_not_what_it_sends() -> None:
    """On a pair of sockets every frame comes as one for the host itself."""
    assert not passes(tallies._LEAVING, COUNTED["a SYN"])
