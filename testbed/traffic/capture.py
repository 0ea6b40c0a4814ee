"""A program that captures one side: it writes every frame at the hosts' ends of their links into one file.

    python -m testbed.traffic.capture ORDERS_FD FILE_FD NAME:HOST_NETNS...

The hosts' ends are the same whatever the gateway is made of. Frames are written in the order of the kernel's
timestamps. Since hosts are read one after the other, frames of all hosts are gathered for a moment first.
"""

from __future__ import annotations

import bisect
import os
import select
import socket
import struct
import sys
import time
from typing import BinaryIO

from testbed.traffic import pcapng
from testbed.traffic.wire import Hosts, Orders

INTERFACE = "eth0"
"""The interface of every host towards its gateway."""
SNAP = 128
"""Bytes kept of each frame: the headers with every option of TCP, and what client and server send."""
SETTLE_NS = 20_000_000
"""Nanoseconds that a frame waits for older frames of other hosts."""
FRAMES_AT_ONCE = 4096
BUFFER_OF_ALL = 256 << 20
LARGEST_BUFFER = 64 << 20
ANCILLARY = socket.CMSG_SPACE(16)
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 0x0003
_TIME = struct.Struct("ll")

Frame = tuple[int, int, int, bytes]
"""A frame: nanoseconds since the epoch, the host's position, the length on the wire, and the first bytes."""


class Capture:
    """Packet sockets at the links of all hosts of one side, and the file."""

    def __init__(self, hosts: dict[str, str], file: BinaryIO) -> None:
        """Begin to keep every frame. `hosts` are network namespaces by the hosts' names."""
        self._file = file
        self._file.write(pcapng.head(list(hosts), SNAP))
        self._file.flush()
        self._buffer = memoryview(bytearray(SNAP))
        self._waiting: list[Frame] = []
        self._written = 0
        namespaces = Hosts()
        self._sockets = []
        for netns in hosts.values():
            namespaces.enter(netns)
            self._sockets.append(_listening(min(LARGEST_BUFFER, BUFFER_OF_ALL // len(hosts))))

    def run(self, orders: Orders) -> None:
        """Write frames until the first order, which is answered when all so far are written, and wait for the end.

        What comes after that is the judge's own, and is not kept.
        """
        poll = select.epoll()
        poll.register(orders.fileno(), select.EPOLLIN)
        hosts = {packets.fileno(): host for host, packets in enumerate(self._sockets)}
        for descriptor in hosts:
            poll.register(descriptor, select.EPOLLIN)
        lines = iter(orders)
        while True:
            # Frames that wait are written when they have settled, even if no more come.
            asked = time.time_ns()
            ready = {descriptor for descriptor, _ in poll.poll(SETTLE_NS / 1e9 if self._waiting else None)}
            settled = asked - SETTLE_NS  # later frames of the other hosts are not read yet
            for descriptor in ready - {orders.fileno()}:
                settled = min(settled, self._read(hosts[descriptor]))
            self._write(settled)
            if orders.fileno() in ready:
                if next(lines, None) is None:
                    return
                orders.tell(**self._finish())
                for descriptor in hosts:
                    poll.unregister(descriptor)

    def _read(self, host: int) -> int:
        """Take the frames of one host, and return the time up to which all have been taken."""
        packets, buffer, waiting = self._sockets[host], self._buffer, self._waiting
        for _ in range(FRAMES_AT_ONCE):
            try:
                length, ancillary, _, _ = packets.recvmsg_into([buffer], ANCILLARY, socket.MSG_TRUNC)
            except BlockingIOError:
                return time.time_ns()
            seconds, nanoseconds = _TIME.unpack(ancillary[0][2])
            waiting.append(
                (seconds * 1_000_000_000 + nanoseconds, host, length, bytes(buffer[: min(length, SNAP)]))
            )
        return waiting[-1][0]

    def _write(self, until: int) -> None:
        """Write the frames up to the time `until`, in their order."""
        self._waiting.sort()
        count = bisect.bisect_right(self._waiting, until, key=lambda frame: frame[0])
        if not count:
            return
        blocks = (pcapng.packet(host, at, length, frame) for at, host, length, frame in self._waiting[:count])
        self._file.write(b"".join(blocks))
        self._file.flush()
        self._written += count
        del self._waiting[:count]

    def _finish(self) -> dict[str, int]:
        """Write all frames so far, and return the numbers of those written, and of those that the kernel lost."""
        until = time.time_ns()
        for host in range(len(self._sockets)):
            while self._read(host) < until:
                pass
        self._write(until)
        return {"frames": self._written, "dropped": sum(_dropped(packets) for packets in self._sockets)}


def _listening(buffer: int) -> socket.socket:
    """Return a packet socket in this process's network namespace that gets every frame, with its time."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        packets.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    except PermissionError:  # without root on the machine, the kernel limits the buffer
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    packets.bind((INTERFACE, _ETH_P_ALL))
    return packets


def _dropped(packets: socket.socket) -> int:
    """Return the number of frames that found the buffer full (packet(7))."""
    _, dropped = struct.unpack("II", packets.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(dropped)


def main() -> None:
    """Open the sockets, report that they are ready, and write frames until the orders end."""
    orders_fd, file_fd, *named = sys.argv[1:]
    hosts = dict(each.split(":") for each in named)
    with os.fdopen(int(file_fd), "wb") as file:
        orders = Orders(int(orders_fd))
        capture = Capture(hosts, file)
        orders.tell(ready=True)
        capture.run(orders)


if __name__ == "__main__":
    main()
