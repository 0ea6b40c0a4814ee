"""The sandbox's view of the filesystem: the machine's own, with a /proc, /sys, /run and terminals for itself."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from testbed.sandbox.linux import CLONE_NEWNS, MS_BIND, MS_MOVE, MS_PRIVATE, MS_REC, enter_namespace, mount

FOLDER = Path("/run/lastport")
"""The folder of the run's files: it is in memory, and is gone with the sandbox."""


def prepare(*, most: str = "50%") -> None:
    """Mount what the sandbox has for itself, in a new mount namespace. Raises OSError.

    `most` limits the memory that its files may take, in the words of tmpfs.
    """
    keep_to_ourselves()
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")  # or /sys/class/net would show the interfaces outside
    mount("tmpfs", "/run", "tmpfs", options=f"mode=755,size={most}")
    with contextlib.suppress(OSError):  # only the hosts' shells need terminals, and the old ones may serve
        mount("devpts", "/dev/pts", "devpts", options="newinstance,ptmxmode=0666,mode=0620")
    FOLDER.mkdir()
    Path("/run/openvswitch").mkdir()
    os.environ["TMPDIR"] = str(FOLDER)


def keep_to_ourselves() -> None:
    """Keep the sandbox's mounts from propagating to the machine.

    Propagation can be changed only at a mount point, and the root of a chroot need not be one. Then this process
    steps out to the namespace's real root, changes it there, makes the chroot's folder a mount point, and moves it
    to the real root. So every process that enters the namespace later, as Mininet's `popen` does, has this root.
    """
    try:
        mount("none", "/", None, MS_REC | MS_PRIVATE)
    except OSError:
        here = working_folder()
        root = os.open("/", os.O_DIRECTORY)
        namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        enter_namespace(namespace, CLONE_NEWNS)  # which makes the namespace's root this process's own
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        folder = os.readlink(f"/proc/self/fd/{root}")
        mount(folder, folder, None, MS_BIND | MS_REC)  # Mininet's hosts do the same as this function
        os.chdir(folder)
        mount(".", "/", None, MS_MOVE)
        os.chroot(".")
        with contextlib.suppress(OSError):  # a folder out of the chroot's reach: then it is the root
            os.chdir(here)
        os.close(root)
        os.close(namespace)


def working_folder() -> str:
    """Return the current folder; the root if that has been deleted, or is out of this root's reach."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
