"""Packet sockets in the hosts' network namespaces, which see frames as the kernel does: packet(7).

A filter in the kernel decides what a socket gets, at any rate. All the sockets of a run are closed at once in the
end: the kernel takes some 10 ms for each, since its readers must be done with it, and no longer for a hundred.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

from testbed.sandbox.linux import network_of
from testbed.traffic.bpf import attach

ETH_P_ALL, ETH_P_IP = 0x0003, 0x0800
"""Protocols of a packet socket. Only ETH_P_ALL gets the frames that the host itself sends."""
BUFFER = 16 << 20
OUTGOING, TO_US = 4, 0
"""Kinds of packets (linux/if_packet.h): one that the host itself sends, and one to its own MAC address."""
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_TIME = struct.Struct("ll")
_ANCILLARY = socket.CMSG_SPACE(_TIME.size)
_AT_ONCE = 32
"""Sockets that are closed at the same time, each by a thread."""
_LEAST_BYTES = 256
"""Less than any frame takes of a socket's buffer: the kernel counts its own records of it as well."""

Program = list[tuple[int, int, int, int]]
"""A program of classic BPF (linux/filter.h)."""
_open: set[socket.socket] = set()


def listening(
    netns: str,
    interface: str,
    program: Program,
    kind: int = ETH_P_IP,
    *,
    arriving: bool = False,
    buffer: int = BUFFER,
) -> socket.socket:
    """Return a packet socket in a host's network namespace that gets the frames that pass the filter.

    If it gets all protocols, it gets what the host sends as well, unless it is for what is `arriving`. With no
    `buffer`, it counts frames and gets none.
    """
    with network_of(netns):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    _open.add(made)
    attach(made, program)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    except PermissionError:  # without root on the machine, the kernel limits the buffer
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    if arriving:
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.bind((interface, kind))
    return made


def sending(netns: str, interface: str) -> socket.socket:
    """Return a packet socket that sends frames from a host's end of its link, as they are, and gets none."""
    with network_of(netns):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    _open.add(made)
    made.bind((interface, 0))
    return made


def taken(packets: socket.socket, most: int) -> Iterator[tuple[float, int, bytes]]:
    """Yield the frames that a socket has: the time (of the epoch), the kind, and the first `most` bytes.

    Where more come than can be read, it ends all the same: with at least those that had come by its beginning.
    """
    for _ in range(packets.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _LEAST_BYTES):
        try:
            frame, ancillary, _, (_, _, kind, *_) = packets.recvmsg(most, _ANCILLARY)
        except BlockingIOError:
            return
        seconds, nanoseconds = _TIME.unpack(ancillary[0][2])
        yield seconds + nanoseconds / 1e9, kind, frame


def statistics(packets: socket.socket) -> tuple[int, int]:
    """Return the number of frames that passed the filter since the last call, and of those that were dropped."""
    passed, dropped = struct.unpack("II", packets.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return passed, dropped


def close(packets: Collection[socket.socket]) -> None:
    """Close sockets, all at the same time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(socket.socket.close, packets))
    _open.difference_update(packets)


def close_all() -> None:
    """Close every socket of this process."""
    close([*_open])
