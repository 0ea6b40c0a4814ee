"""A Debian virtual machine as a box: its root by mmdebstrap, its own kernel, and a shell at its serial console.

It is started by qemu under software emulation, with two tap interfaces of this machine as its cables, and a drive
on which files come in.
"""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "kmod", "mount", "procps"),
    *("iproute2", "nftables", "conntrack"),
)
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
modprobe virtio_net
modprobe nf_conntrack
stty -echo
export PS1=
echo the box is up
exec sh
"""
DISK_MIB, DRIVE_BYTES = 900, 1 << 20
UP_WITHIN_S = 600.0
DONE_WITHIN_S = 120.0
NEEDS = ("mmdebstrap", "mkfs.ext4", "qemu-system-x86_64")


def build(folder: Path) -> None:
    """Make the root of the machine, from the packages of the distribution that this machine has."""
    root = folder / "root"
    codename = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )["VERSION_CODENAME"]
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        f"--include={','.join(PACKAGES)}",
        codename,
        str(root),
    ]
    subprocess.run(command, check=True)
    init = root / "sbin" / "box"
    init.write_text(INIT)
    init.chmod(0o755)
    for name in ("vmlinuz", "initrd.img"):
        (folder / name).write_bytes((root / name).read_bytes())
    subprocess.run(["truncate", f"--size={DISK_MIB}M", str(folder / "disk")], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", str(root), str(folder / "disk")], check=True)
    subprocess.run(["rm", "-rf", str(root)], check=True)


class Machine:
    """The running machine. `inside` and `outside` are this machine's ends of its two cables."""

    def __init__(self, folder: Path, inside: str, outside: str) -> None:
        """Make the cables, start it, and wait for its shell."""
        self.inside, self.outside = inside, outside
        self._drive = folder / "drive"
        self._drive.write_bytes(bytes(DRIVE_BYTES))
        for name in (inside, outside):
            subprocess.run(["ip", "tuntap", "add", name, "mode", "tap"], check=True)
            subprocess.run(["ip", "link", "set", name, "addrgenmode", "none", "up"], check=True)
        command = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "512", "-nodefaults", "-no-reboot"]
        command += ["-display", "none", "-serial", "stdio", "-monitor", "none"]
        command += ["-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd.img")]
        command += ["-append", "root=/dev/vda rw init=/sbin/box console=ttyS0 net.ifnames=0 quiet loglevel=1"]
        for name in (folder / "disk", self._drive):
            command += ["-drive", f"file={name},if=virtio,format=raw"]
        for number, name in enumerate((inside, outside), start=1):
            command += ["-netdev", f"tap,id=n{number},ifname={name},script=no,downscript=no"]
            command += ["-device", f"virtio-net-pci,netdev=n{number},mac=02:b0:00:00:00:0{number}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._read_until("the box is up", UP_WITHIN_S)

    def run(self, script: str, files: Mapping[str, str]) -> str:
        """Put files into /tmp, run a script there, and return what it prints. Raises RuntimeError if it fails."""
        with io.BytesIO() as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                for name, text in {**files, "script": script}.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(text.encode())
                    archive.addfile(entry, io.BytesIO(text.encode()))
            self._drive.write_bytes(packed.getvalue().ljust(DRIVE_BYTES, b"\0"))
        self._say("blockdev --flushbufs /dev/vdb; cd /tmp; tar -xf /dev/vdb; sh ./script; echo done: $?")
        printed = self._read_until("done: ", DONE_WITHIN_S)
        if not printed.rstrip().endswith("done: 0"):
            raise RuntimeError(f"in the box: {printed}")
        return printed

    def close(self) -> None:
        """Switch it off, and take its cables away."""
        self._process.kill()
        self._process.wait()
        for name in (self.inside, self.outside):
            subprocess.run(["ip", "link", "del", name], check=False)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _read_until(self, words: str, within: float) -> str:
        """Read to the end of the line with these words."""
        assert self._process.stdout is not None
        deadline, printed = time.monotonic() + within, b""
        while not (found := re.search(rb".*?%b[^\n]*\n" % words.encode(), printed, re.DOTALL)):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                raise RuntimeError(
                    f"the virtual machine did not print {words!r}: {printed.decode(errors='replace')}"
                )
            printed += part
        return found[0].decode(errors="replace").replace("\r", "")
