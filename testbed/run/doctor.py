"""What this machine has and lacks for a lab, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.run import packages
from testbed.sandbox.enter import MachineError, unshare
from testbed.sandbox.openvswitch import TUNING
from testbed.traffic.drive import MOST_WORKERS, workers_needed
from topologies.network import qdiscs
from topologies.network.sysctls import OF_THE_MACHINE, read_sysctls

PROGRAMS = Path(__file__).resolve().parents[2] / "vagrant" / "programs.txt"
"""The programs that lastport starts, and their Debian packages, as provisioning reads them too."""

LINUX_NAT = """
table ip probe {
    set sources { type ipv4_addr; size 16; flags dynamic; }
    chain passing {
        type filter hook forward priority filter;
        ct status confirmed accept
        add @sources { ip saddr ct count over 1 } counter drop
        add @sources { ip saddr limit rate over 1/second } drop
    }
    chain leaving {
        type nat hook postrouting priority srcnat;
        meta l4proto tcp snat to 192.0.2.1:1024-1025 random,persistent
    }
}
"""
"""Rules that need all that the gateway netfilter needs of the kernel."""

TUN = Path("/dev/net/tun")
KERNEL_DATAPATH = Path("/sys/module/openvswitch")
AS_ROOT = "run it as root (sudo ./lastport ...)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined. `advice` is what to do if it is not `ok`."""

    name: str
    found: str
    ok: bool = True
    required: bool = True
    advice: str = ""


def findings() -> Iterator[Finding]:
    """Examine everything that a lab needs, and yield the findings."""
    yield Finding(
        "system", f"Linux {platform.release()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    )
    yield from _programs("lab")
    has_mininet = importlib.util.find_spec("mininet") is not None
    yield Finding(
        "mininet", "installed" if has_mininet else "missing", has_mininet, advice="apt-get install mininet"
    )
    framework = _framework()
    yield Finding("framework", framework or "missing", bool(framework), advice="./lastport installs it")
    yield _packages()
    yield _namespaces()
    yield from _datapath()
    yield from _programs("gateway")
    yield from _programs("rare")
    yield from _programs("outside")
    if shutil.which("nft"):
        yield _linux_nat()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Finding(
        "open files",
        f"{hard} per process",
        hard >= 4096,
        required=False,
        advice="raise the hard limit: ulimit -Hn 65536, or nofile in /etc/security/limits.conf",
    )
    yield _kernel_settings()
    tuning = ", ".join(f"{key}={value}" for key, value in TUNING.items())
    yield Finding("private Open vSwitch", f"in every run, with {tuning}")


def links() -> Finding:
    """Try in a new network what puts links under conditions. It is looked for only if somebody asks."""
    qdiscs.load()
    command = [*unshare(as_root=os.geteuid() == 0), sys.executable, "-P", "-m", "topologies.network.qdiscs"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    why = tried.stdout.splitlines() or [(tried.stderr.strip() or "refused").splitlines()[-1]] * 2
    lacks = [name for name, words in zip(("netem", "tbf"), why, strict=True) if words]
    if not lacks:
        return Finding("links", "netem and tbf of the kernel, for delay, loss and rate", required=False)
    return Finding(
        "links",
        f"a process of ours in place of {' and '.join(lacks)} ({next(filter(None, why))})",
        ok=False,
        required=False,
        advice="as root: modprobe -a sch_netem sch_tbf && modprobe ifb numifbs=0; a kernel without these modules "
        "has links with delay, loss and rate all the same, within the limits of docs/how/links.md",
    )


def datapath() -> str:
    """Return the datapath that a run uses on this machine: `kernel` or `userspace`."""
    _load_kernel_module()
    return "kernel" if os.geteuid() == 0 and KERNEL_DATAPATH.exists() else "userspace"


def require(sockets: int, *, needs: Collection[str] = (), found: Collection[Finding] | None = None) -> None:
    """Raise MachineError if this machine cannot run a lab with `sockets` sockets at once on each side.

    `needs` are the names of further findings, which the gateway requires. `found` are the findings, if known
    already.
    """
    found = list(findings()) if found is None else found
    lacking = [each for each in found if (each.required or each.name in needs) and not each.ok]
    if lacking:
        lines = [f"{finding.name}: {finding.found}. What to do: {finding.advice}" for finding in lacking]
        raise MachineError("this machine cannot run it:\n  " + "\n  ".join(lines))
    require_sockets(sockets)


def require_sockets(sockets: int) -> None:
    """Raise MachineError if this machine cannot hold `sockets` sockets at once on each side."""
    if workers_needed(sockets) > MOST_WORKERS:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise MachineError(
            f"this machine cannot run it: {sockets:,} connections need more than {MOST_WORKERS} processes with "
            f"{hard} open files each. What to do: raise the limit (ulimit -Hn 65536), or take fewer attempts"
        )


def _programs(needed_by: str) -> Iterator[Finding]:
    """Look for the programs that every `lab` needs, only some `gateway`, a `rare` one, or those for `outside`."""
    for line in PROGRAMS.read_text().splitlines():
        if line and not line.startswith("#"):
            program, package, needed = line.split()
            if needed == needed_by:
                path = shutil.which(program)
                advice = f"apt-get install {package}"
                yield Finding(program, path or "missing", path is not None, needed_by == "lab", advice)


def _load_kernel_module() -> None:
    """Load Open vSwitch's kernel module, if there is one. Inside the sandbox it could not be loaded."""
    if os.geteuid() == 0 and not KERNEL_DATAPATH.exists() and (modprobe := shutil.which("modprobe")):
        subprocess.run([modprobe, "--quiet", "openvswitch"], capture_output=True, check=False)


def _framework() -> str:
    for name in ("ryu", "os-ken"):
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _packages() -> Finding:
    """Compare the environment with its lists. A package that was changed by hand may do otherwise in a run."""
    differing = list(packages.differing())
    if not differing:
        return Finding("packages", f"{len(packages.installed())} Python packages, as listed")
    advice = f"remove {sys.prefix}, which the next command makes anew"
    return Finding("packages", "; ".join(differing), ok=False, required=False, advice=advice)


def _namespaces() -> Finding:
    as_root = os.geteuid() == 0
    name = "namespaces" if as_root else "namespaces without root"
    if shutil.which("unshare") is None:
        return Finding(name, "unshare is missing", False, advice="apt-get install util-linux")
    tried = subprocess.run([*unshare(as_root=as_root), "true"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return Finding(name, "allowed")
    return Finding(name, tried.stderr.strip() or "refused", False, advice=_way_to_namespaces())


def _way_to_namespaces() -> str:
    if os.geteuid() == 0:
        return "allow CAP_SYS_ADMIN and CAP_NET_ADMIN: a container needs --privileged"
    return AS_ROOT


def _linux_nat() -> Finding:
    """Try the rules in a new namespace. The kernel loads the modules for them, if it has them."""
    command = [*unshare(as_root=os.geteuid() == 0), "sh", "-c", "nft -f - && ip link add name br0 type bridge"]
    advice = (
        "as root: modprobe -a nft_chain_nat nft_ct nft_connlimit nft_limit bridge; if the kernel has no such "
        "modules, take another --gateway"
    )
    try:
        tried = subprocess.run(command, input=LINUX_NAT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return Finding("netfilter", f"{error.filename} is missing", ok=False, required=False, advice=advice)
    if tried.returncode:
        words = tried.stderr.strip().splitlines() or ["refused"]
        if words[0].startswith("unshare: "):
            advice = _way_to_namespaces()
        return Finding("netfilter", words[0], ok=False, required=False, advice=advice)
    return Finding("netfilter", "the kernel's NAT, for the gateway netfilter", required=False)


def _kernel_settings() -> Finding:
    """Compare the kernel's settings that the whole machine has, and no lab can set, with what serves every lab."""
    found = read_sysctls(OF_THE_MACHINE)
    low = [key for key, least in OF_THE_MACHINE.items() if least and key in found and int(found[key]) < least]
    advice = "as root: sysctl -w " + " ".join(f"{key.replace('/', '.')}={OF_THE_MACHINE[key]}" for key in low)
    shown = ", ".join(f"{key.replace('/', '.')} is {found[key]}" for key in low)
    return Finding("kernel settings", shown or "large enough", not low, required=False, advice=advice)


def _datapath() -> Iterator[Finding]:
    if datapath() == "kernel":
        yield Finding("datapath", "kernel")
        return
    why = "the kernel's needs root" if KERNEL_DATAPATH.exists() else "no kernel module openvswitch"
    yield Finding("datapath", f"userspace ({why})")
    if not TUN.exists():
        advice = "as root: mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200"
        yield Finding(str(TUN), "missing", False, advice=advice)
        return
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        yield Finding(str(TUN), error.strerror or "unusable", False, advice=AS_ROOT)
    else:
        yield Finding(str(TUN), "usable")
