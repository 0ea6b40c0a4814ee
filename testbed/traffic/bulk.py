"""Many frames at once through packet sockets: sent by one system call, received without any.

Sending is sendmmsg(2) over headers that are made once, so a frame costs no Python. Receiving is the kernel's ring
in shared memory (packet(7), PACKET_RX_RING with TPACKET_V2). A frame costs Python about a microsecond, and comes
with the kernel's time of arrival. The kernel counts the frames that found no room in the ring.

trafgen and tcpreplay would be fast enough, but do not serve. To find the rate at which nothing is lost, a
generator must hold back while a given number of frames is under way. To answer, it must send to endpoints that the
NAT has just chosen. Neither program can do this.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from testbed.sandbox.linux import network_of
from testbed.traffic.bpf import EQUAL, GIVE, LOAD_BYTE, LOAD_HALF, attach
from testbed.traffic.frames import TRANSPORT

_libc = ctypes.CDLL(None, use_errno=True)
_IOVEC = struct.Struct("@PN")
_MMSGHDR = struct.Struct("@PIPNPNi0PI0P")

_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _QDISC_BYPASS = 263, 5, 6, 10, 20
_TPACKET_V2, _TP_STATUS_USER = 1, 1
_HEADER = struct.Struct("=IIIHHII")
"""Of struct tpacket2_hdr: status, lengths on the wire and in the slot, offsets, seconds and nanoseconds."""
_SLOT, _BLOCK = 256, 1 << 16
_SLOTS = 1 << 14
_STATUS = struct.Struct("=I")
_ETH_P_IP = 0x0800


class Outgoing:
    """Frames of one size, in one piece of memory, in the order in which they are sent."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        size = len(frames[0])
        self._data = ctypes.create_string_buffer(b"".join(frames), size * len(frames))
        first = ctypes.addressof(self._data)
        vectors = b"".join(_IOVEC.pack(first + number * size, size) for number in range(len(frames)))
        self._vectors = ctypes.create_string_buffer(vectors, len(vectors))
        at = ctypes.addressof(self._vectors)
        headers = b"".join(
            _MMSGHDR.pack(0, 0, at + number * _IOVEC.size, 1, 0, 0, 0, 0) for number in range(len(frames))
        )
        self._headers = ctypes.create_string_buffer(headers, len(headers))
        self._at = ctypes.addressof(self._headers)
        self._count = len(frames)

    def __len__(self) -> int:
        return self._count

    def send(self, sender: socket.socket, first: int, count: int) -> int:
        """Send up to `count` frames from number `first` on, and return the number that left. Raises OSError."""
        sent = int(_libc.sendmmsg(sender.fileno(), ctypes.c_void_p(self._at + first * _MMSGHDR.size), count, 0))
        if sent < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"sendmmsg: {os.strerror(number)}")
        return sent


def sender(netns: str, interface: str) -> socket.socket:
    """Return a packet socket in a host's network namespace, which sends past the queueing discipline."""
    with network_of(netns):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)
        made.bind((interface, 0))
        return made


class Ring:
    """The frames of one protocol that arrive at a host's interface with a given source or target port."""

    def __init__(self, netns: str, interface: str, protocol: int, *, port: int, at_source: bool) -> None:
        with network_of(netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._filter(protocol, port, TRANSPORT + (0 if at_source else 2))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        blocks = _SLOTS * _SLOT // _BLOCK
        request = struct.pack("IIII", _BLOCK, blocks, _SLOT, _SLOTS)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._memory = mmap.mmap(self._socket.fileno(), _SLOTS * _SLOT)
        self._next = 0
        self._dropped = 0
        self._socket.bind((interface, _ETH_P_IP))

    def take(self, fields: struct.Struct) -> Iterator[tuple[float, tuple[Any, ...]]]:
        """Yield for each frame that has come its time (of time.time), and what `fields` reads from it."""
        memory, at = self._memory, self._next * _SLOT
        while True:
            status, _, _, offset, _, seconds, nanoseconds = _HEADER.unpack_from(memory, at)
            if not status & _TP_STATUS_USER:
                break
            found = fields.unpack_from(memory, at + offset)
            _STATUS.pack_into(memory, at, 0)  # the kernel may use the slot again
            at = (at + _SLOT) % (_SLOTS * _SLOT)
            yield seconds + nanoseconds * 1e-9, found
        self._next = at // _SLOT

    @property
    def dropped(self) -> int:
        """The number of frames that found no room in the ring so far."""
        self._dropped += struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        return self._dropped

    def _filter(self, protocol: int, port: int, at: int) -> None:
        program = [
            (LOAD_HALF, 0, 0, 12),
            (EQUAL, 0, 7, _ETH_P_IP),
            (LOAD_BYTE, 0, 0, 14),
            (EQUAL, 0, 5, 0x45),  # without options, as all of ours are
            (LOAD_BYTE, 0, 0, 23),
            (EQUAL, 0, 3, protocol),
            (LOAD_HALF, 0, 0, at),
            (EQUAL, 0, 1, port),
            (GIVE, 0, 0, _SLOT),
            (GIVE, 0, 0, 0),
        ]
        attach(self._socket, program)
