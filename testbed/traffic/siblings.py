"""Frames made after the model of one that a host's kernel has sent: of the same flow, of any size, and with marks.

A sibling has the addresses, ports and next hop of its model, which has a hello or an answer. Its data begin as
those, with nonce and token, and go on at random. Server and client ignore it: over UDP and ICMP by its size, over
TCP since its data are older than what the other kernel has read. That kernel acknowledges what it has (RFC 9293
section 3.10.7.4), and no more.
"""

from __future__ import annotations

import random
import socket
import struct
from dataclasses import dataclass

from testbed.traffic.wire import HELLO

SIZES = (80, 128, 200, 256, 576, 1024, 1280)
"""Bytes of the packets, besides the largest that fits. The smallest has room for every option and a hello."""
CLASSES = ((64, 0x00), (57, 0x28), (64, 0xB8), (57, 0x02))
"""TTL and TOS of each part of a train, in turn. There are two TTLs, so that a NAT that writes one of its own is
seen. The classes are best effort, AF11, EF, and best effort with ECT(0) (RFC 2474, 2597, 3246, 3168)."""
_IP_HEADER, _TRANSPORT = 14, 34
_DONT_FRAGMENT = 0x4000
_IP = struct.Struct("!BBHHHBBH8s")
_TCP = struct.Struct("!HHIIBBHHH")
_ACK = 0x10
_NOP, _TIMESTAMPS, _EXPERIMENTAL = 1, 8, 253
_WORD = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a sibling's IP header has: the packet's size, TTL, TOS, identification, and whether it is atomic."""

    size: int
    ttl: int
    tos: int
    identification: int
    atomic: bool


def train(model: bytes, *, frames: int, largest: int, chance: random.Random) -> list[list[bytes]]:
    """Return the parts of a train of siblings, one of each class, with all sizes up to `largest` in each.

    `frames` is the number of all. The model is a frame with IPv4 and no IP options.
    """
    sizes = [size for size in SIZES if size < largest] + [largest]
    numbers = chance.sample(range(1, 1 << 16), frames)
    made = [
        sibling(
            model,
            Marks(
                size=sizes[position % len(sizes)],
                ttl=CLASSES[position * len(CLASSES) // frames][0],
                tos=CLASSES[position * len(CLASSES) // frames][1],
                identification=numbers[position],
                atomic=position // len(sizes) % 2 == 0,
            ),
            number=position,
            chance=chance,
        )
        for position in range(frames)
    ]
    return [
        made[frames * part // len(CLASSES) : frames * (part + 1) // len(CLASSES)] for part in range(len(CLASSES))
    ]


def sibling(model: bytes, marks: Marks, *, number: int, chance: random.Random) -> bytes:
    """Return one sibling of a frame. Over ICMP its sequence number is `number`."""
    protocol, addresses = model[_IP_HEADER + 9], model[26:34]
    space = marks.size - (_TRANSPORT - _IP_HEADER)
    if protocol == socket.IPPROTO_TCP:
        transport = _segment(model, space, chance)
        place = 16
    elif protocol == socket.IPPROTO_UDP:
        ports = model[_TRANSPORT : _TRANSPORT + 4]
        transport = ports + struct.pack("!HH", space, 0) + _data(model, _TRANSPORT + 8, space - 8, chance)
        place = 6
    else:
        kind, identifier = model[_TRANSPORT : _TRANSPORT + 2], model[_TRANSPORT + 4 : _TRANSPORT + 6]
        transport = (
            kind + b"\0\0" + identifier + _WORD.pack(number) + _data(model, _TRANSPORT + 8, space - 8, chance)
        )
        place = 2
    pseudo = b"" if protocol == socket.IPPROTO_ICMP else addresses + struct.pack("!HH", protocol, space)
    checksum = _checksum(pseudo + transport) or 0xFFFF
    transport = transport[:place] + _WORD.pack(checksum) + transport[place + 2 :]
    bits = _DONT_FRAGMENT if marks.atomic else 0
    fields = (0x45, marks.tos, marks.size, marks.identification, bits, marks.ttl, protocol)
    header = _IP.pack(*fields, _checksum(_IP.pack(*fields, 0, addresses)), addresses)
    return model[:_IP_HEADER] + header + transport


def _segment(model: bytes, space: int, chance: random.Random) -> bytes:
    """Return a segment that ends where the model's data begin, with timestamps and an option for experiments."""
    source, target, sequence, acknowledged, offset, _, window, _, _ = _TCP.unpack_from(model, _TRANSPORT)
    end = _TRANSPORT + (offset >> 4) * 4
    times = _timestamps(model[_TRANSPORT + _TCP.size : end])
    options = times + struct.pack("!BBHI", _EXPERIMENTAL, 8, chance.getrandbits(16), chance.getrandbits(32))
    data = _data(model, end, space - _TCP.size - len(options), chance)
    length = (_TCP.size + len(options)) // 4 << 4
    begin = (sequence - len(data)) & 0xFFFFFFFF
    return _TCP.pack(source, target, begin, acknowledged, length, _ACK, window, 0, 0) + options + data


def _timestamps(options: bytes) -> bytes:
    """Return the timestamps option among a segment's (RFC 7323), padded, or as much padding if there is none."""
    at = 0
    while at < len(options) and options[at]:
        if options[at] == _TIMESTAMPS:
            return bytes([_NOP, _NOP]) + options[at : at + 10]
        at += 1 if options[at] == _NOP else max(2, options[at + 1])
    return bytes([_NOP]) * 12


def _data(model: bytes, begin: int, length: int, chance: random.Random) -> bytes:
    return model[begin : begin + HELLO.size] + chance.randbytes(length - HELLO.size)


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    return ~(int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF) & 0xFFFF
