"""What a kernel knows and does for a socket: the error queue, the times of datagrams, TCP's own information."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from typing import NamedTuple

from testbed.traffic.bpf import EQUAL, GIVE, LOAD_LENGTH, TAKE_NOTHING, attach

IP_RECVERR = 11
SO_TIMESTAMPNS = 35
IP_BIND_ADDRESS_NO_PORT = 24
TCP_REPAIR = 19
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err
_ORIGIN_ICMP = 2
_TIME = struct.Struct("@ll")  # struct timespec
_TCP_INFO_LENGTH, _TOTAL_RETRANSMISSIONS = 104, 100
_FIN_WAIT_2 = 5
_REPAIR_QUEUE, _QUEUE_SEQUENCE = 20, 21
_ON, _OFF_WITHOUT_PROBE, _SEND_QUEUE = 1, -1, 2
_UDP_HEADER, _WHOLE = 8, 0xFFFFFFFF


class IcmpError(NamedTuple):
    """An ICMP message that a socket's error queue holds."""

    type: int
    code: int
    sender: str

    def __str__(self) -> str:
        return f"type {self.type} code {self.code} from {self.sender}"


def received(datagrams: socket.socket, most: int) -> tuple[bytes, tuple[str, int], float]:
    """Take a datagram from a socket that has SO_TIMESTAMPNS. Return it, its sender, and when it came.

    The time is the kernel's, as `time.monotonic` has it, however late the program asks. It is never too early,
    unless the clock of the day is set meanwhile. Raises OSError.
    """
    data, ancillary, _, sender = datagrams.recvmsg(most, socket.CMSG_SPACE(_TIME.size))
    seconds, nanoseconds = _TIME.unpack(ancillary[0][2])
    since = max(0.0, time.time() - seconds - nanoseconds / 1e9)
    return data, sender, time.monotonic() - since


def queued_error(failed: socket.socket) -> tuple[int, IcmpError | None]:
    """Take an error from a socket's error queue (ip(7), IP_RECVERR).

    Return its number, which is 0 if the queue is empty, and the ICMP message behind it.
    """
    try:
        _, ancillary, _, _ = failed.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return 0, None
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
            number, origin, icmp_type, icmp_code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            sender = data[_EXTENDED_ERROR.size + 4 : _EXTENDED_ERROR.size + 8]  # in its struct sockaddr_in
            icmp = IcmpError(icmp_type, icmp_code, socket.inet_ntoa(sender)) if origin == _ORIGIN_ICMP else None
            return number, icmp
    return 0, None


RESETS = {errno.ECONNRESET, errno.ECONNREFUSED, errno.EPIPE}
BY_ICMP = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT}
"""The errors that ICMP messages become (icmp.c: icmp_err_convert), without the one that a reset becomes, too."""
SILENCE = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}
"""The errors of a kernel that had no answer, or found by itself no host to send to."""


def outcome_of(error: int, icmp: IcmpError | None, *, queued: bool = True) -> str:
    """Return the outcome of an attempt that ended by this error, with the ICMP message behind it, if any.

    `queued` is whether such a message would have been known. Raises OSError for an error that no NAT causes: the
    host itself is short of something.
    """
    if icmp or (error in BY_ICMP and not queued):
        return "icmp"
    if error in RESETS:
        return "reset"
    if error in SILENCE:
        return "timeout"
    raise OSError(error, f"an attempt failed by itself, and not by the NAT: {os.strerror(error)}")


def retransmissions(stream: socket.socket) -> int:
    """Return the number of segments that a TCP socket's kernel has sent again (tcp(7), TCP_INFO)."""
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_LENGTH)
    return int.from_bytes(info[_TOTAL_RETRANSMISSIONS:_TCP_INFO_LENGTH], "little")


def first_sequence(stream: socket.socket, *, sent: int) -> int | None:
    """Return the sequence number of the SYN of a TCP socket that has sent `sent` bytes since, or None.

    The kernel shows a connection's numbers to those who move it to another machine (TCP_REPAIR). It sends nothing
    while they do. Older kernels do not show them once the other side has ended the connection.
    """
    try:
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _ON)
    except PermissionError:
        return None
    try:
        stream.setsockopt(socket.IPPROTO_TCP, _REPAIR_QUEUE, _SEND_QUEUE)
        following = stream.getsockopt(socket.IPPROTO_TCP, _QUEUE_SEQUENCE)
    finally:
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _OFF_WITHOUT_PROBE)
    return (following - sent - 1) & 0xFFFFFFFF


def take_only(datagrams: socket.socket, size: int) -> None:
    """Have a UDP socket take datagrams with `size` bytes of data only. The kernel ends all others as they come.

    So they need no room in its queue, and are not counted as lost for want of it.
    """
    whole = [(GIVE, 0, 0, _WHOLE)]
    attach(datagrams, [(LOAD_LENGTH, 0, 0, 0), (EQUAL, 0, 1, _UDP_HEADER + size), *whole, *TAKE_NOTHING])


def is_half_closed(stream: socket.socket) -> bool:
    """Return whether a TCP socket's FIN was acknowledged, and no FIN has come (RFC 9293: FIN-WAIT-2)."""
    return stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _FIN_WAIT_2
