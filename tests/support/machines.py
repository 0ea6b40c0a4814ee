"""What tests would share of the machine, so that each has its own: a network, mounts, and a port that is free."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.sandbox.linux import CLONE_NEWNS, MS_REC, enter_namespace, mount, unshare
from testbed.sandbox.mounts import keep_to_ourselves
from topologies.network.namespaces import Namespace

MS_SHARED = 1 << 20


@contextmanager
def own_network() -> Iterator[None]:
    """Be in a network of one's own with nothing but a loopback, if this is root. Others have only the machine's.

    What other tests, and other users of the machine, do to its interfaces is not seen there.
    """
    if os.geteuid() != 0:
        yield
        return
    with contextlib.closing(Namespace()) as namespace, namespace.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield


@contextmanager
def own_mounts() -> Iterator[None]:
    """Have mounts of one's own, if this is root: those that there are now, and none that others make or remove.

    What a process mounts that is started here is seen here, unless it has kept its mounts to itself.
    """
    if os.geteuid() != 0:
        yield
        return
    with contextlib.ExitStack() as stack:
        mounts, root, folder = (os.open(path, os.O_RDONLY) for path in ("/proc/thread-self/ns/mnt", "/", "."))
        for descriptor in (mounts, root, folder):
            stack.callback(os.close, descriptor)
        unshare(CLONE_NEWNS)
        try:
            keep_to_ourselves()
            mount("none", "/", None, MS_REC | MS_SHARED)
            yield
        finally:
            enter_namespace(mounts, CLONE_NEWNS)
            os.fchdir(root)
            os.chroot(".")
            os.fchdir(folder)


@contextmanager
def free_port() -> Iterator[int]:
    """Keep a port of this machine's loopback at which nothing listens, and a program may that the test starts.

    As long as the block lasts, the kernel gives it to no socket of another test that takes any port. A server that
    is to listen there sets SO_REUSEADDR, as `socket.create_server` does.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])
