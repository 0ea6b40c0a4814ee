"""Packets that may begin a connection, as the kernels of all hosts count them: those sent, and those that arrived.

A NAT can have dropped no more of them than left a host and did not arrive at any. That is an upper bound of what
it may count as dropped. Nothing is read: the kernel counts every frame that passes a filter.
"""

from __future__ import annotations

import socket
from collections.abc import Collection

from testbed.evidence.sockets import ETH_P_ALL, ETH_P_IP, Program, close, listening, statistics

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD, _LOAD_BYTE_AFTER_HEADER = 0x30, 0x28, 0x20, 0x50
_HEADER_LENGTH, _MASK, _EQUAL, _ANY_BIT, _GIVE = 0xB1, 0x54, 0x15, 0x45, 0x06
_KIND_OF_PACKET, _OUTGOING = 0xFFFFF004, 4
"""Where a filter finds who a packet is for (linux/filter.h, SKF_AD_PKTTYPE), and what it finds if it leaves."""
_ECHO_REQUEST, _SYN, _SYN_OR_ACK, _OFFSET = 8, 0x02, 0x12, 0x1FFF

_BEGINNING: Program = [
    (_LOAD_HALF, 0, 0, 12),
    (_EQUAL, 0, 13, ETH_P_IP),
    (_LOAD_HALF, 0, 0, 20),
    (_ANY_BIT, 11, 0, _OFFSET),
    (_HEADER_LENGTH, 0, 0, 14),
    (_LOAD_BYTE, 0, 0, 23),
    (_EQUAL, 7, 0, socket.IPPROTO_UDP),
    (_EQUAL, 4, 0, socket.IPPROTO_ICMP),
    (_EQUAL, 0, 6, socket.IPPROTO_TCP),
    (_LOAD_BYTE_AFTER_HEADER, 0, 0, 14 + 13),
    (_MASK, 0, 0, _SYN_OR_ACK),
    (_EQUAL, 2, 3, _SYN),
    (_LOAD_BYTE_AFTER_HEADER, 0, 0, 14),
    (_EQUAL, 0, 1, _ECHO_REQUEST),
    (_GIVE, 0, 0, 1),
    (_GIVE, 0, 0, 0),
]
"""A filter that passes a TCP SYN without ACK, any UDP datagram, and an echo request: of fragments, the first."""
_LEAVING: Program = [(_LOAD_WORD, 0, 0, _KIND_OF_PACKET), (_EQUAL, 0, len(_BEGINNING) - 1, _OUTGOING), *_BEGINNING]
"""The same, of packets that the host itself sends."""


class Tally:
    """The packets that hosts have sent so far, and those that they have got, whichever hosts these were."""

    def __init__(self, hosts: Collection[str], *, interface: str = "eth0") -> None:
        """Begin to count in these network namespaces."""
        self._leaving = [listening(netns, interface, _LEAVING, ETH_P_ALL, buffer=0) for netns in hosts]
        self._arriving = [listening(netns, interface, _BEGINNING, buffer=0) for netns in hosts]
        self._sent = self._arrived = 0
        self.is_whole = True
        """Whether every packet of the hosts was counted."""

    def stop(self) -> None:
        """Count no more, which costs each packet some time."""
        close([*self._leaving, *self._arriving])
        self._leaving, self._arriving, self.is_whole = [], [], False

    def sent(self) -> int:
        """Return the number of packets that left a host."""
        self._sent += sum(statistics(each)[0] for each in self._leaving)
        return self._sent

    def lost(self) -> int:
        """Return the number of packets that left a host and did not arrive at any, whatever the reason."""
        self._arrived += sum(statistics(each)[0] for each in self._arriving)
        return max(0, self.sent() - self._arrived)
