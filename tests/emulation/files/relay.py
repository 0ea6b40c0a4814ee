"""A cable that lies: it passes frames between two interfaces, and treats them as the deceit does that it is told.

python relay.py NEAR FAR        the deceits come by name on standard input, a line each; several at once by `+`
"""

from __future__ import annotations

import heapq
import itertools
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable

ETH_P_ALL, OUTGOING = 0x0003, 4
DELAY_S, SWAPPED_WITHIN_S = 0.15, 0.003
OUTSIDE = bytes([192, 0, 2])
"""The network of the NATs' external addresses."""
Later = list[tuple[float, bytes]]
"""Frames to send, each after a number of seconds."""

chance = random.Random(1)
turns = itertools.count()
begun: set[bytes] = set()
"""The ports of the connections whose first data have been lost."""


def word_sum(data: bytes) -> int:
    """Return the sum of words in ones' complement."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


def repaired(frame: bytearray) -> bytes:
    """Return a frame whose checksums are right."""
    begin = 14 + (frame[14] & 15) * 4
    frame[24:26] = b"\0\0"
    frame[24:26] = (~word_sum(bytes(frame[14:begin])) & 0xFFFF).to_bytes(2, "big")
    protocol, end = frame[23], 14 + int.from_bytes(frame[16:18], "big")
    place = begin + {6: 16, 17: 6, 1: 2}[protocol]
    pseudo = b"" if protocol == 1 else bytes(frame[26:34]) + struct.pack("!HH", protocol, end - begin)
    frame[place : place + 2] = b"\0\0"
    frame[place : place + 2] = (~word_sum(pseudo + bytes(frame[begin:end])) & 0xFFFF).to_bytes(2, "big")
    return bytes(frame)


def data_begin(frame: bytes) -> int:
    """Return the offset of the data of TCP, UDP or ICMP."""
    begin = 14 + (frame[14] & 15) * 4
    return begin + ((frame[begin + 12] >> 4) * 4 if frame[23] == 6 else 8)


def changed(at: int, value: Callable[[int], int]) -> Callable[[bytes], Later]:
    """Return a deceit that writes one byte of every packet, and repairs the checksums."""

    def rewrite(frame: bytes) -> Later:
        copy = bytearray(frame)
        copy[at] = value(copy[at])
        return [(0.0, repaired(copy))]

    return rewrite


def flip(frame: bytes) -> Later:
    """Flip a bit at the end of the data of every twentieth packet: it still names its client and its server."""
    begin = data_begin(frame)
    copy = bytearray(frame)
    if begin < len(copy) and next(turns) % 20 == 0:
        copy[chance.randrange(max(begin, len(copy) - 4), len(copy))] ^= 1 << chance.randrange(8)
    return [(0.0, repaired(copy))]


def spoil(frame: bytes) -> Later:
    """Leave a wrong checksum in every tenth packet that goes out: a NAT rightly drops one that comes in so."""
    copy = bytearray(frame)
    place = 14 + (copy[14] & 15) * 4 + {6: 16, 17: 6, 1: 2}[copy[23]]
    copy[place] ^= 0x5A if frame[26:29] == OUTSIDE and next(turns) % 10 == 0 else 0
    return [(0.0, bytes(copy))]


def blank_options(frame: bytes) -> Later:
    """Turn all options of SYNs into NOPs."""
    copy = bytearray(frame)
    begin = 14 + (copy[14] & 15) * 4
    if copy[23] == 6 and copy[begin + 13] & 2:
        end = begin + (copy[begin + 12] >> 4) * 4
        copy[begin + 20 : end] = b"\1" * (end - begin - 20)
    return [(0.0, repaired(copy))]


def narrow(frame: bytes) -> Later:
    """Write a window of its own into every segment."""
    copy = bytearray(frame)
    begin = 14 + (copy[14] & 15) * 4
    if copy[23] == 6:
        copy[begin + 14 : begin + 16] = b"\x20\x00"
    return [(0.0, repaired(copy))]


def one_number(frame: bytes) -> Later:
    """Give every packet the same identification."""
    copy = bytearray(frame)
    copy[18:20] = b"\x12\x34"
    return [(0.0, repaired(copy))]


def is_syn(frame: bytes) -> bool:
    """Return whether a packet is a SYN, of either side."""
    return frame[23] == 6 and bool(frame[14 + (frame[14] & 15) * 4 + 13] & 2)


def invent(frame: bytes) -> Later:
    """Send a SYN of its own, with another number and from another port, for every one that goes out."""
    later: Later = [(0.0, frame)]
    if is_syn(frame) and frame[26:29] == OUTSIDE:
        begin = 14 + (frame[14] & 15) * 4
        copy = bytearray(frame)
        copy[begin : begin + 2] = (60_000 + next(turns) % 1000).to_bytes(2, "big")
        copy[begin + 4 : begin + 8] = chance.randbytes(4)
        later.append((0.0, repaired(copy)))
    return later


def lose_first(frame: bytes) -> Later:
    """Lose the first data that a client sends over a connection."""
    begin = 14 + (frame[14] & 15) * 4
    ports, end = frame[begin : begin + 4], 14 + int.from_bytes(frame[16:18], "big")
    if frame[23] != 6 or frame[26:29] != OUTSIDE or data_begin(frame) >= end or ports in begun:
        return [(0.0, frame)]
    begun.add(ports)
    return []


DECEITS: dict[str, Callable[[bytes], Later]] = {
    "honest": lambda frame: [(0.0, frame)],
    "double": lambda frame: [(0.0, frame)] * (2 if next(turns) % 10 == 0 else 1),
    "reorder": lambda frame: [(SWAPPED_WITHIN_S if next(turns) % 7 == 0 else 0.0, frame)],
    "delay": lambda frame: [(DELAY_S, frame)],
    "delay-syns": lambda frame: [(DELAY_S if is_syn(frame) else 0.0, frame)],
    "most-syns": lambda frame: [(2 * DELAY_S if is_syn(frame) and chance.random() < 0.85 else 0.0, frame)],
    "lose-first": lose_first,
    "lose": lambda frame: [] if next(turns) % 33 == 0 else [(0.0, frame)],
    "small": lambda frame: [] if len(frame) > 200 else [(0.0, frame)],
    "flip": flip,
    "spoil": spoil,
    "ttl": changed(22, lambda _: 63),
    "no-hop": changed(22, lambda ttl: ttl + 1),
    "tos": changed(15, lambda _: 0),
    "ecn": changed(15, lambda tos: tos | 3),
    "fragmentable": changed(20, lambda bits: bits & ~0x40),
    "identification": one_number,
    "options": blank_options,
    "window": narrow,
    "invent": invent,
}


def treated(deceits: list[str], frame: bytes) -> Later:
    """Return what becomes of a frame."""
    if frame[12:14] != b"\x08\x00" or frame[23] not in (1, 6, 17):
        return [(0.0, frame)]
    later: Later = [(0.0, frame)]
    for deceit in deceits:
        later = [(wait + more, one) for wait, each in later for more, one in DECEITS[deceit](each)]
    return later


def wire(interface: str) -> socket.socket:
    """Return a socket that gets and sends all frames of an interface."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind((interface, ETH_P_ALL))
    return made


def main() -> None:
    """Pass frames on until standard input ends. Each line there is answered when it is followed."""
    near, far = (wire(interface) for interface in sys.argv[1:])
    other = {near: far, far: near}
    deceits = ["honest"]
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    count = itertools.count()
    print(flush=True)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for ready in select.select([near, far, sys.stdin], [], [], pause)[0]:
            if ready is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    return
                deceits = line.strip().split("+")
                print(flush=True)
                continue
            frame, (_, _, way, *_) = ready.recvfrom(65536)
            if way != OUTGOING:
                for wait, each in treated(deceits, frame):
                    due = time.monotonic() + wait
                    heapq.heappush(waiting, (due, next(count), other[ready], each))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(waiting)
            to.send(frame)


if __name__ == "__main__":
    main()
