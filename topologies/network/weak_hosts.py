"""On which of two interfaces a host is that answers ARP requests at both.

Linux answers for every address of its own at every interface (the weak host model, RFC 1122 section 3.3.4.2;
`arp_ignore` in its ip-sysctl.rst). So an answer does not show where an address is. A ping from a host beside that
address does: what is sent back to this host leaves by the interface that its network is at.
"""

from __future__ import annotations

import socket
import struct
import time
from ipaddress import IPv4Address

from topologies.network import arp

_EVERY_FRAME = 0x0003
_ARP, _IPV4 = b"\x08\x06", b"\x08\x00"
_TYPE, _ARP_REQUEST = slice(12, 14), slice(20, 22)
_ARP_TARGET, _IP_SOURCE, _IP_TARGET = slice(38, 42), slice(26, 30), slice(30, 34)
_REQUEST = struct.pack("!H", arp.REQUEST)


def sends_back_by(other: str, asked: str, target: IPv4Address, sender: IPv4Address, *, within: float) -> bool:
    """Whether `target`, which `sender` pings at the interface `asked`, sends back to it by the interface `other`.

    False, too, if it sends nothing back. Both interfaces are in the namespace that this thread is in. Raises
    TimeoutError if `target` does not answer ARP requests at `asked` within some seconds.
    """
    mac = arp.mac_here(asked)
    neighbour = arp.resolve(asked, mac, arp.NOBODY, target, within=within)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_FRAME)) as wire:
        wire.bind((other, _EVERY_FRAME))
        _send(asked, _ping(mac, neighbour, sender, target))
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                frame, (*_, kind, _, _) = wire.recvfrom(64)
            except TimeoutError:
                break
            if kind != socket.PACKET_OUTGOING and _is_for(frame, sender, target):
                return True
    return False


def _send(interface: str, frame: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        wire.send(frame)


def _ping(mac: str, neighbour: str, sender: IPv4Address, target: IPv4Address) -> bytes:
    """Return the frame of an echo request (RFC 792) in an IPv4 packet."""
    ethernet = bytes.fromhex(neighbour.replace(":", "")) + bytes.fromhex(mac.replace(":", "")) + _IPV4
    echo = _completed(struct.pack("!BBHHH", 8, 0, 0, 1, 1), at=2)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(echo), 1, 0, 64, 1, 0, sender.packed, target.packed)
    return ethernet + _completed(header, at=10) + echo


def _completed(data: bytes, *, at: int) -> bytes:
    """Return an even number of bytes with their checksum (RFC 1071) at an offset where there are zeros."""
    checksum = int.from_bytes(data, "big") % 0xFFFF ^ 0xFFFF
    return data[:at] + struct.pack("!H", checksum) + data[at + 2 :]


def _is_for(frame: bytes, sender: IPv4Address, target: IPv4Address) -> bool:
    """Whether a frame asks for the MAC address of `sender`, or is from `target` to it."""
    if frame[_TYPE] == _ARP:
        return frame[_ARP_REQUEST] == _REQUEST and frame[_ARP_TARGET] == sender.packed
    return frame[_TYPE] == _IPV4 and (frame[_IP_SOURCE], frame[_IP_TARGET]) == (target.packed, sender.packed)
