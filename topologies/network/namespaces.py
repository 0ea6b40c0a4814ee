"""Network namespaces without a process in each: an open descriptor keeps one, and a path leads to it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_OF_RUN = b"mode=755,size=16m"
_OF_TERMINALS = b"newinstance,ptmxmode=0666,mode=0620"
_OURS = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, which lives until every descriptor of it is closed and no process is in it any more."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Make a new one, or take the one that an open `descriptor` is of."""
        if descriptor is not None:
            self.descriptor = descriptor
            return
        ours = os.open(_OURS, os.O_RDONLY)
        try:
            _checked(_libc.unshare(_CLONE_NEWNET), "unshare")
            self.descriptor = os.open(_OURS, os.O_RDONLY)
        finally:
            _checked(_libc.setns(ours, _CLONE_NEWNET), "setns")
            os.close(ours)

    @property
    def path(self) -> str:
        """The path at which any process of this machine can open it, until this process closes it or ends."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter it for a while. A socket or a process that is made there stays there. Raises OSError."""
        ours = os.open(_OURS, os.O_RDONLY)
        try:
            _checked(_libc.setns(self.descriptor, _CLONE_NEWNET), "setns")
            yield
        finally:
            _checked(_libc.setns(ours, _CLONE_NEWNET), "setns")
            os.close(ours)

    def close(self) -> None:
        """Close its descriptor; it ends with the last process in it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def show_own_interfaces() -> None:
    """Give this process a /sys of its own, which shows its network namespace, as `mnexec -n` does."""
    _have_own_mounts()
    _checked(_libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None), "mount sysfs on /sys")


def show_own_run(folder: Path) -> None:
    """Give this process a /run of its own, with one folder of what was there, which becomes the current one.

    The others have sockets by which the switches can be told what to do. So it has terminals of its own, too: what
    is written to one of a node's shell would be the shell's output.
    """
    _have_own_mounts()
    kept = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    _checked(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, _OF_RUN), "mount tmpfs on /run")
    folder.mkdir(parents=True, exist_ok=True)
    source = f"/proc/self/fd/{kept}".encode()
    _checked(_libc.mount(source, bytes(folder), None, _MS_BIND, None), f"mount {folder}")
    os.close(kept)
    if os.path.isdir("/dev/pts"):
        _checked(_libc.mount(b"devpts", b"/dev/pts", b"devpts", 0, _OF_TERMINALS), "mount devpts on /dev/pts")
    os.chdir(folder)


def _have_own_mounts() -> None:
    _checked(_libc.unshare(_CLONE_NEWNS), "unshare")
    _checked(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
