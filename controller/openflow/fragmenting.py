"""Sending a packet on in fragments (RFC 791 section 3.2), first one first, each with room for it on its link.

The fragments of two packets must not be taken for those of one. Two inside hosts may use the same identification
toward the same destination at the same time, so the controller gives each packet that it sends in fragments one of
its own (RFC 7857 section 10, RFC 6864 section 5.3.1). Those of one source, destination and protocol follow each
other and repeat after 65,536 packets.

Deviation: RFC 6864 section 4.3 wants no repetition within two minutes, and so 546 such packets a second at most.
No host keeps to that either, and the NAT does not slow a host down for it. Packets that rules forward keep their
identification: OpenFlow cannot set it.
"""

from __future__ import annotations

import random
from array import array

from controller.nat.model import Side
from controller.openflow.frames import ETHERNET_BYTES, Ipv4, correct
from controller.openflow.routes import Routes
from controller.openflow.switch import Switch
from controller.wiring import ControllerConfiguration

MORE_FRAGMENTS = 0x2000
MOST_BYTES = 65_535
"""The most bytes of an IPv4 packet."""
_OFFSET_BITS = 0x1FFF
_COUNTERS = 4096
_END, _NO_OPERATION, _COPIED = 0, 1, 0x80


class Sender:
    """Sends frames on to their next hops, in fragments where their link has no room for the whole."""

    def __init__(self, configuration: ControllerConfiguration, routes: Routes, switch: Switch) -> None:
        self._routes = routes
        self._switch = switch
        self._mtus = {side: configuration.mtu(side) for side in Side}
        self._fits_anywhere = min(self._mtus.values())
        self._identifications = Identifications(random.Random(configuration.seed))

    def forward(self, frame: bytes, most: int | None = None) -> None:
        """Send a frame on. `most` is the size of the largest of the fragments in which it came, if it did.

        A packet that came in fragments leaves in fragments, with Don't Fragment if they had it.
        """
        if most is None and len(frame) <= self._fits_anywhere + ETHERNET_BYTES:
            self._switch.forward(frame)
            return
        ip = Ipv4.parse(frame)
        assert ip is not None
        side = Side.INSIDE if self._routes.is_inside(ip.destination) else Side.OUTSIDE
        room = min(self._mtus[side], most or MOST_BYTES)
        if ip.size <= room:
            self._switch.forward(frame)
        elif most is not None or not ip.dont_fragment:
            identification = self._identifications.next(ip.source, ip.destination, ip.protocol)
            for fragment in fragments(ip, room, identification):
                self._switch.forward(fragment)


class Identifications:
    """The next identification toward each destination. Some that are seldom used at once share a counter."""

    def __init__(self, rng: random.Random) -> None:
        self._next = array("H", (rng.randrange(1 << 16) for _ in range(_COUNTERS)))

    def next(self, source: int, destination: int, protocol: int) -> int:
        """Return an identification that none of the last 65,535 packets with these three had."""
        counter = hash((source, destination, protocol)) % _COUNTERS
        taken = self._next[counter]
        self._next[counter] = (taken + 1) & 0xFFFF
        return taken


def fragments(ip: Ipv4, most: int, identification: int) -> list[bytes]:
    """Return a whole packet as frames with fragments of at most `most` bytes each, in their order.

    Its bit Don't Fragment stays as it is, in each of them.
    """
    frame, ethernet = ip.frame, ip.frame[:ETHERNET_BYTES]
    bits = int.from_bytes(frame[ip.start + 6 : ip.start + 8], "big") & ~(MORE_FRAGMENTS | _OFFSET_BITS)
    header = original = frame[ip.start : ip.payload]
    made, at = [], ip.payload
    while at < ip.end:
        room = (most - len(header)) // 8 * 8
        end = min(at + room, ip.end)
        piece = bytearray(ethernet + header + frame[at:end])
        more = MORE_FRAGMENTS if end < ip.end else 0
        start = ETHERNET_BYTES
        piece[start + 2 : start + 4] = (len(piece) - start).to_bytes(2, "big")
        piece[start + 4 : start + 6] = identification.to_bytes(2, "big")
        piece[start + 6 : start + 8] = (bits | more | (at - ip.payload) // 8).to_bytes(2, "big")
        correct(piece, start + 10, original, piece[start : start + len(header)])
        made.append(bytes(piece))
        header, at = _of_later_fragments(header), end
    return made


def _of_later_fragments(header: bytes) -> bytes:
    """Return the header without the options that belong to the first fragment only (RFC 791 section 3.1)."""
    options, kept, at = header[20:], b"", 0
    while at < len(options) and options[at] != _END:
        size = 1 if options[at] == _NO_OPERATION else max(2, int.from_bytes(options[at + 1 : at + 2], "big"))
        if options[at] & _COPIED:
            kept += options[at : at + size]
        at += size
    kept += bytes(-len(kept) % 4)
    return bytes([0x40 | (20 + len(kept)) // 4]) + header[1:20] + kept
