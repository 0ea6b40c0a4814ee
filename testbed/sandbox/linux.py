"""The few system calls that namespaces need and that Python 3.11 does not offer."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """Mount a filesystem, or change how mounts propagate. Raises OSError."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, flags, options.encode()
    )
    _checked(result, f"mount {kind or source} on {target}")


def enter_namespace(descriptor: int, kind: int) -> None:
    """Move the calling thread into the namespace that an open descriptor stands for. Raises OSError."""
    _checked(_libc.setns(descriptor, kind), "setns")


@contextmanager
def network_of(netns: str) -> Iterator[None]:
    """Enter the network namespace at a path, and come back. A socket made in it stays in it. Raises OSError."""
    ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    theirs = os.open(netns, os.O_RDONLY)
    try:
        enter_namespace(theirs, CLONE_NEWNET)
        yield
    finally:
        enter_namespace(ours, CLONE_NEWNET)
        os.close(ours)
        os.close(theirs)


def prepare_network() -> None:
    """Set the namespace's loopback interface up, and turn IPv6 off on all interfaces.

    A gateway's ports need no IPv6 addresses, and Open vSwitch takes time for the address of each port.
    """
    with contextlib.suppress(FileNotFoundError):
        Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
