"""The few system calls that namespaces need and that Python 3.11 does not offer."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = 64
"""As many as the kernel's format has room for, which are more than there are."""
_CAPABILITIES_VERSION_3 = 0x20080522

_SYS_MOUNT_SETATTR = 442
"""The number of the call that newer C libraries have as a function: the same on every processor."""
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def unshare(flags: int) -> None:
    """Give this process new namespaces. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def allow_no_new_privileges() -> None:
    """Have no program that this process executes gain a privilege by its owner or its file."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def allow_tracing(*, allowed: bool) -> None:
    """Have processes trace this one and read its memory, or only those with CAP_SYS_PTRACE."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, int(allowed), 0, 0, 0), "prctl")


def drop_capabilities(dropped: Container[int] = range(_CAPABILITIES)) -> None:
    """Give up these capabilities for good, or all of them. Raises OSError."""
    for capability in range(_CAPABILITIES):
        if capability in dropped and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # the kernel has no more
    kept = sum(1 << capability for capability in range(_CAPABILITIES) if capability not in dropped)
    header = struct.pack("Ii", _CAPABILITIES_VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    _checked(_libc.capget(header, sets), "capget")
    words = struct.unpack("6I", sets.raw)  # three sets of the lower half, then of the upper half
    left = [word & (kept >> (32 * (place // 3))) & 0xFFFFFFFF for place, word in enumerate(words)]
    _checked(_libc.capset(header, struct.pack("6I", *left)), "capset")


def mount_read_only(target: str, *, read_only: bool = True, recursive: bool = False) -> None:
    """Make a mount read-only or writable, `recursive` with all mounts below it. Raises OSError."""
    attributes = (_MOUNT_ATTR_RDONLY, 0) if read_only else (0, _MOUNT_ATTR_RDONLY)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_long(-1),
        target.encode(),
        ctypes.c_long(_AT_RECURSIVE if recursive else 0),
        struct.pack("4Q", *attributes, 0, 0),
        ctypes.c_long(32),
    )
    _checked(result, f"mount_setattr {target}")


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
