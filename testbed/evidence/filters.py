"""Packet filters that run in a kernel, at any rate: frames from a wrong source, and frames that have gone astray.

A filter is a program of classic BPF (linux/filter.h), which returns the number of bytes to keep of a frame, or 0.
The kernel counts the frames that pass. None does where a NAT is right, so these filters cost next to nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable, Sequence

from testbed.evidence.sockets import Program
from testbed.traffic.wire import ANSWER, HELLO, MARK, PING

Line = str | tuple[int, int] | tuple[int, str] | tuple[int, int, str, str]
"""A label; an instruction with its operand; a jump to a label, at any distance; or a test with the labels at which
to go on if it holds, and if not, each at most 255 instructions away."""
Networks = Iterable[ipaddress.IPv4Network]

SNAP = 128
"""Bytes kept of a frame: the headers with every option of TCP, and what client and server send."""
OUTGOING, OTHER_HOST = 4, 3
"""Kinds of packets (linux/if_packet.h): one that the host itself sends, and one to another's MAC address."""

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_LOAD_BYTE_AFTER, _LOAD_HALF_AFTER, _LOAD_WORD_AFTER = 0x50, 0x48, 0x40
"""Relative to the index register, where `_HEADER_LENGTH` puts the length of IPv4's header."""
_HEADER_LENGTH, _TO_INDEX, _FROM_INDEX, _NUMBER = 0xB1, 0x07, 0x87, 0x00
_MASK, _SHIFT_RIGHT, _ADD_INDEX, _SUBTRACT_INDEX = 0x54, 0x74, 0x0C, 0x1C
_EQUAL, _ANY_BIT, _GO, _GIVE = 0x15, 0x45, 0x05, 0x06
_PACKET_KIND, _TAGGED = 0xFFFFF004, 0xFFFFF030
"""Where the kernel's own notes on a packet have its kind (SKF_AD_PKTTYPE), and whether it came with the tag of a
VLAN, which the kernel takes off (SKF_AD_VLAN_TAG_PRESENT)."""

_ETHERNET = 14
_ETHERTYPE, _LENGTH, _FRAGMENT, _PROTOCOL, _SOURCE, _TARGET = 12, 16, 20, 23, 26, 30
_ARP_SENDER = 28
_IPV4, _ARP = 0x0800, 0x0806
_OFFSET_BITS = 0x1FFF
_UDP_HEADER = 8
_ECHO_REPLY, _ECHO_REQUEST = 0, 8
_GROUPS = ipaddress.IPv4Network("224.0.0.0/4")
_NONE = ipaddress.IPv4Network("0.0.0.0")
_EVERYBODY = ipaddress.IPv4Network("255.255.255.255")


def assembled(lines: Sequence[Line]) -> Program:
    """Return the program of these lines. Raises KeyError for a label that is missing."""
    places, number = {}, 0
    for line in lines:
        if isinstance(line, str):
            places[line] = number
        else:
            number += 1
    program: Program = []

    def distance(label: str) -> int:
        return places[label] - len(program) - 1

    for line in lines:
        match line:
            case (code, int(operand), yes, no):
                program.append((code, distance(yes), distance(no), operand))
            case (code, str(label)):
                program.append((code, 0, 0, distance(label)))
            case (code, int(operand)):
                program.append((code, 0, 0, operand))
    return program


def foreign(right: Networks, inside: Networks, *, leaving: bool) -> Program:
    """Return a filter that passes frames which come out of a NAT from another source than the `right` ones.

    The source of an ARP message is its sender's address. IPv4 from `inside` is left to the filter for leaks. Any
    frame that is neither IPv4 nor ARP passes, since no NAT here has cause to send one. The frames are those which
    the interface sends, if it is the NAT's own (`leaving`), and otherwise those which arrive at it.
    """
    ours = ("read", "none") if leaving else ("none", "read")
    return assembled(
        [
            (_LOAD_WORD, _PACKET_KIND),
            (_EQUAL, OUTGOING, *ours),
            "read",
            (_LOAD_BYTE, _TAGGED),
            (_EQUAL, 0, "untagged", "give"),
            "untagged",
            (_LOAD_HALF, _ETHERTYPE),
            (_EQUAL, _IPV4, "ipv4", "no ipv4"),
            "no ipv4",
            (_EQUAL, _ARP, "arp", "give"),
            "give",
            (_GIVE, SNAP),
            "none",
            (_GIVE, 0),
            "arp",
            (_LOAD_WORD, _ARP_SENDER),
            (_TO_INDEX, 0),
            (_GO, "right"),
            "ipv4",
            (_LOAD_WORD, _SOURCE),
            (_TO_INDEX, 0),
            *unless_in(ipaddress.collapse_addresses(inside), "inside"),
            "right",
            *unless_in(ipaddress.collapse_addresses(right), "own"),
            (_GIVE, SNAP),
        ]
    )


def astray(own: Collection[ipaddress.IPv4Network], *, answers_to: int | None = None) -> Program:
    """Return a filter of what arrives at a host, which passes IPv4 that is for another by MAC or IPv4 address.

    At a client, any frame that is neither IPv4 nor ARP passes, and one with the tag of a VLAN. At a server it is
    left to the filter for foreign frames.
    What is right by its addresses passes if its content is another's. At a client, with the mark `answers_to`,
    that is an answer to a nonce with another mark. At a server it is a hello to an address that is not its own.
    """
    return assembled(
        [
            (_LOAD_BYTE, _TAGGED),
            (_EQUAL, 0, "untagged", "other frame"),
            "untagged",
            (_LOAD_HALF, _ETHERTYPE),
            (_EQUAL, _IPV4, "ipv4", "no ipv4"),
            "no ipv4",
            (_EQUAL, _ARP, "none", "other frame"),
            "other frame",
            (_GIVE, SNAP if answers_to is not None else 0),
            "ipv4",
            (_LOAD_WORD, _PACKET_KIND),
            (_EQUAL, OTHER_HOST, "astray", "address"),
            "astray",
            (_GIVE, SNAP),
            "none",
            (_GIVE, 0),
            "address",
            (_LOAD_WORD, _TARGET),
            (_TO_INDEX, 0),
            *unless_in([_GROUPS, _EVERYBODY], "group"),
            *_goes_to(own, "content"),
            (_GIVE, SNAP),
            "content",
            *_content(ANSWER.size if answers_to is not None else HELLO.size, answers_to is not None),
            (_LOAD_HALF_AFTER, _ETHERNET),
            (_EQUAL, MARK, "marked", "no"),
            "marked",
            *(_others_answer(answers_to) if answers_to is not None else _others_hello(own)),
            "no",
            (_GIVE, 0),
        ]
    )


def _others_answer(mark: int) -> list[Line]:
    return [(_LOAD_HALF_AFTER, _ETHERNET + 2), (_EQUAL, mark, "no", "other"), "other", (_GIVE, SNAP)]


def _others_hello(own: Networks) -> list[Line]:
    """Return lines that pass a hello to an address in none of these networks. One without an address stays."""
    lines: list[Line] = []
    for number, network in enumerate([_NONE, *own]):
        address = (_LOAD_WORD_AFTER, _ETHERNET + HELLO.size // 2)
        equal = (_EQUAL, int(network.network_address), "no", f"next {number}")
        lines += [address, (_MASK, int(network.netmask)), equal, f"next {number}"]
    return [*lines, (_GIVE, SNAP)]


def _content(size: int, is_answer: bool) -> list[Line]:
    """Return lines that go on, with the content's offset less 14 in the index register, or give nothing.

    They go on for a first fragment, or a whole packet, of TCP, UDP or ping with `size` bytes of content.
    """
    return [
        (_LOAD_HALF, _FRAGMENT),
        (_ANY_BIT, _OFFSET_BITS, "rest", "first"),
        "rest",
        (_GIVE, 0),
        "first",
        (_HEADER_LENGTH, _ETHERNET),
        (_LOAD_BYTE, _PROTOCOL),
        (_EQUAL, socket.IPPROTO_TCP, "tcp", "no tcp"),
        "tcp",
        (_LOAD_BYTE_AFTER, _ETHERNET + 12),
        (_MASK, 0xF0),
        (_SHIFT_RIGHT, 2),
        (_GO, "after headers"),
        "no tcp",
        (_EQUAL, socket.IPPROTO_UDP, "udp", "no udp"),
        "no udp",
        (_EQUAL, socket.IPPROTO_ICMP, "icmp", "no ping"),
        "icmp",
        (_LOAD_BYTE_AFTER, _ETHERNET),
        (_EQUAL, _ECHO_REPLY if is_answer else _ECHO_REQUEST, "udp", "no ping"),
        "no ping",
        (_GIVE, 0),
        "udp",
        (_NUMBER, _UDP_HEADER),
        "after headers",
        (_ADD_INDEX, 0),
        (_TO_INDEX, 0),
        (_LOAD_HALF, _LENGTH),
        (_SUBTRACT_INDEX, 0),
        (_EQUAL, size, "sized", "no size"),
        "no size",
        (_GIVE, 0),
        "sized",
    ]


assert len(PING) == _UDP_HEADER  # the header of a query is as long as that of a datagram


def unless_in(networks: Networks, name: str, *, given: int = 0) -> list[Line]:
    """Return lines that give `given` bytes if the address in the index register is in one of the networks."""
    lines: list[Line] = []
    for number, network in enumerate(networks):
        found, other = f"{name} {number}", f"not {name} {number}"
        lines += [*_compared(network, found, other), found, (_GIVE, given), other]
    return lines


def _goes_to(networks: Networks, place: str) -> list[Line]:
    """Return lines that go to a place if the address in the index register is in one of the networks."""
    lines: list[Line] = []
    for number, network in enumerate(networks):
        other = f"not {place} {number}"
        lines += [*_compared(network, place, other), other]
    return lines


def _compared(network: ipaddress.IPv4Network, yes: str, no: str) -> list[Line]:
    return [(_FROM_INDEX, 0), (_MASK, int(network.netmask)), (_EQUAL, int(network.network_address), yes, no)]
