"""Witnesses of packets that no host here has cause to send, so that only a NAT can have made those that arrive.

These are fragments, other protocols than TCP, UDP and ICMP, and ICMP errors that quote an inside address outside.
IGMP on the link itself is no such protocol: the kernels' bridges use it.
One filter in each host's kernel passes them, both what arrives and what leaves. A scenario may have its hosts send
such packets. Then nobody can tell from these counts what the NAT has made, and the kind is not judged.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Collection, Iterable

from testbed.evidence.filters import OUTGOING, SNAP, Line, assembled, unless_in
from testbed.evidence.sockets import ETH_P_ALL, Program, listening, taken

FRAGMENTED, PROTOCOLS, QUOTED = "fragmented", "protocols", "quoted"
WHY = {
    FRAGMENTED: "hosts sent fragments, or packets that had to become fragments",
    PROTOCOLS: "hosts sent other protocols than TCP, UDP and ICMP",
}
"""Why a kind is not judged, if hosts have sent some."""
BUFFER = 256 << 10
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_LOAD_BYTE_AFTER, _LOAD_WORD_AFTER, _HEADER_LENGTH, _TO_INDEX, _MASK = 0x50, 0x40, 0xB1, 0x07, 0x54
_EQUAL, _GREATER, _ANY_BIT, _GIVE = 0x15, 0x25, 0x45, 0x06
_PACKET_KIND = 0xFFFFF004
_ETHERNET, _ETHERTYPE, _LENGTH, _FRAGMENT, _PROTOCOL, _TARGET = 14, 12, 16, 20, 23, 30
_IPV4 = 0x0800
_DONT_FRAGMENT, _FRAGMENT_BITS = 0x4000, 0x3FFF
_USUAL = (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP)
_LINK_LOCAL_GROUPS = ipaddress.IPv4Network("224.0.0.0/24")
"""Groups that no router passes on. A bridge may join one, by IGMP: all snoopers, 224.0.0.106 (RFC 4286)."""
_ERRORS = (3, 4, 5, 11, 12)
"""ICMP errors (RFC 1122 section 3.2.2): unreachable, source quench, redirect, time exceeded, parameter problem."""
_QUOTED_SOURCE, _QUOTED_TARGET = _ETHERNET + 8 + 12, _ETHERNET + 8 + 16


class Oddities:
    """What has arrived at hosts, and what they have sent, from the moment when it is made."""

    def __init__(
        self,
        clients: Iterable[str],
        servers: Iterable[str],
        *,
        inside: Collection[ipaddress.IPv4Network],
        but_to: Collection[ipaddress.IPv4Network],
        mtu: int,
        interface: str = "eth0",
    ) -> None:
        """Clients and servers are paths of network namespaces. Errors to the networks `but_to` may quote anything.

        A packet that is longer than `mtu` becomes fragments on the way, unless it forbids that.
        """
        programs = [(each, odd((), (), mtu=mtu)) for each in clients]
        programs += [(each, odd(inside, but_to, mtu=mtu)) for each in servers]
        self._sockets = [
            listening(netns, interface, program, ETH_P_ALL, buffer=BUFFER) for netns, program in programs
        ]
        self._sent: Counter[str] = Counter()
        self._arrived: Counter[str] = Counter()

    def arrived(self) -> dict[str, int]:
        """Return the packets of each kind that arrived, as far as they were read, unless hosts sent some."""
        self._look()
        return {kind: self._arrived[kind] for kind in (FRAGMENTED, PROTOCOLS, QUOTED) if not self._sent[kind]}

    def unlooked(self) -> dict[str, str]:
        """Return the kinds that are not judged, and why."""
        self._look()
        return {kind: why for kind, why in WHY.items() if self._sent[kind]}

    def _look(self) -> None:
        for each in self._sockets:
            for _, way, frame in taken(each, SNAP):
                leaves = way == OUTGOING
                (self._sent if leaves else self._arrived)[kind_of(frame, leaves=leaves)] += 1


def kind_of(frame: bytes, *, leaves: bool) -> str:
    """Return the kind of a frame that passed the filter."""
    if int.from_bytes(frame[_FRAGMENT : _FRAGMENT + 2], "big") & _FRAGMENT_BITS:
        return FRAGMENTED
    if frame[_PROTOCOL] not in _USUAL:
        return PROTOCOLS
    return FRAGMENTED if leaves else QUOTED


def odd(
    inside: Collection[ipaddress.IPv4Network], but_to: Collection[ipaddress.IPv4Network], *, mtu: int
) -> Program:
    """Return a filter that passes fragments, other protocols, and what arrives of errors with an inside address.

    Of what leaves, packets of more than `mtu` bytes that may be fragmented pass as well.
    """
    return assembled(
        [
            (_LOAD_HALF, _ETHERTYPE),
            (_EQUAL, _IPV4, "ipv4", "none"),
            "none",
            (_GIVE, 0),
            "ipv4",
            (_LOAD_HALF, _FRAGMENT),
            (_ANY_BIT, _FRAGMENT_BITS, "fragment", "whole"),
            "fragment",
            (_GIVE, SNAP),
            "whole",
            (_LOAD_BYTE, _PROTOCOL),
            *_goes_to_any(_USUAL, "usual"),
            (_EQUAL, socket.IPPROTO_IGMP, "groups", "unusual"),
            "groups",
            (_LOAD_WORD, _TARGET),
            (_MASK, int(_LINK_LOCAL_GROUPS.netmask)),
            (_EQUAL, int(_LINK_LOCAL_GROUPS.network_address), "none of ours", "unusual"),
            "none of ours",
            (_GIVE, 0),
            "unusual",
            (_GIVE, SNAP),
            "usual",
            (_LOAD_WORD, _PACKET_KIND),
            (_EQUAL, OUTGOING, "leaves", "arrives"),
            "leaves",
            (_LOAD_HALF, _FRAGMENT),
            (_ANY_BIT, _DONT_FRAGMENT, "fits", "may be fragmented"),
            "may be fragmented",
            (_LOAD_HALF, _LENGTH),
            (_GREATER, mtu, "too long", "fits"),
            "too long",
            (_GIVE, SNAP),
            "fits",
            (_GIVE, 0),
            "arrives",
            *(_quoting(inside, but_to) if inside else [(_GIVE, 0)]),
        ]
    )


def _goes_to_any(values: Iterable[int], place: str) -> list[Line]:
    """Return lines that go to a place if what was loaded is one of these values."""
    lines: list[Line] = []
    for value in values:
        other = f"no {place} of {value}"
        lines += [(_EQUAL, value, place, other), other]
    return lines


def _quoting(inside: Collection[ipaddress.IPv4Network], but_to: Collection[ipaddress.IPv4Network]) -> list[Line]:
    """Return lines that pass an ICMP error whose quoted packet has an inside address (RFC 5508 REQ-4, REQ-5)."""
    lines: list[Line] = [
        (_LOAD_BYTE, _PROTOCOL),
        (_EQUAL, socket.IPPROTO_ICMP, "icmp", "no icmp"),
        "no icmp",
        (_GIVE, 0),
        "icmp",
        (_LOAD_WORD, _TARGET),
        (_TO_INDEX, 0),
        *unless_in(but_to, "exempt"),
        (_HEADER_LENGTH, _ETHERNET),
        (_LOAD_BYTE_AFTER, _ETHERNET),
    ]
    lines += [*_goes_to_any(_ERRORS, "error"), (_GIVE, 0), "error"]
    for place, offset in (("source", _QUOTED_SOURCE), ("target", _QUOTED_TARGET)):
        lines += [
            (_HEADER_LENGTH, _ETHERNET),
            (_LOAD_WORD_AFTER, offset),
            (_TO_INDEX, 0),
            *unless_in(ipaddress.collapse_addresses(inside), f"quoted {place}", given=SNAP),
        ]
    return [*lines, (_GIVE, 0)]
