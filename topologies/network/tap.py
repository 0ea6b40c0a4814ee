"""A TAP device: an interface of the kernel whose other end of the cable is a descriptor of a process (tun(4))."""

from __future__ import annotations

import fcntl
import os
import struct

_TUN = "/dev/net/tun"
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def tap(interface: str) -> int:
    """Make a TAP device in the network namespace that this thread is in, and return its descriptor.

    The device goes with the descriptor. Raises OSError.
    """
    descriptor = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
