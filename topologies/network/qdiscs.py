"""The conditions of a link by the kernel's own means: netem, or tbf where a rate alone is set (tc(8)).

What a host sends passes a queueing discipline of its `eth0`. What comes is led through an ifb device with the same
discipline. Packet sockets at `eth0` see frames on the gateway's side of both: what has left the link outbound, and
what enters it inbound. So a NAT is never blamed for what the link does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from topologies.network.conditions import FULL_FRAME_BITS, Conditions
from topologies.network.namespaces import Namespace

_BACK = "ifb-eth0"
_MODULE = Path("/sys/module/ifb")
_WITHIN_S = 30.0
_SECONDS_OF_BURST = 0.005
"""The burst of tbf, in seconds of its rate: more than a tick of any kernel's clock."""


def kind(conditions: Conditions) -> str:
    """Return the discipline that applies these conditions."""
    plain = not (conditions.longest or conditions.loss or conditions.reordering)
    return "tbf" if conditions.rate is not None and plain else "netem"


def discipline(conditions: Conditions) -> str:
    """Return the discipline with its parameters, as tc takes them."""
    rate = f"rate {conditions.rate:.0f}bit" if conditions.rate is not None else ""
    if kind(conditions) == "tbf":
        assert conditions.rate is not None
        burst = max(2 * FULL_FRAME_BITS // 8, int(conditions.rate * _SECONDS_OF_BURST / 8))
        return f"tbf {rate} burst {burst} limit {conditions.room * FULL_FRAME_BITS // 8}"
    parts = [f"netem limit {conditions.room}"]
    if conditions.longest:
        parts.append(f"delay {_us(conditions.delay)} {_us(conditions.jitter)}")
    if conditions.loss:
        parts.append(f"loss random {conditions.loss:.6%}")
    if conditions.reordering:
        parts.append(f"reorder {conditions.reordering:.6%}")
    return " ".join([*parts, rate]).rstrip()


def apply(conditions: Conditions, interface: str = "eth0") -> None:
    """Put a link under conditions, at its end in the namespace that this thread is in. Raises OSError."""
    found = discipline(conditions)
    _run(["ip", "-batch", "-"], [f"link add {_BACK} type ifb", f"link set {_BACK} up"])
    _run(
        ["tc", "-batch", "-"],
        [
            f"qdisc add dev {interface} root {found}",
            f"qdisc add dev {_BACK} root {found}",
            f"qdisc add dev {interface} ingress",
            f"filter add dev {interface} parent ffff: protocol all prio 1 u32 match u32 0 0 "
            f"action mirred egress redirect dev {_BACK}",
        ],
    )


def load() -> None:
    """Load the module of ifb devices, with none: root can, outside of any sandbox.

    A kernel that loads it by itself makes two of them, in the machine's own network.
    """
    if os.geteuid() == 0 and not _MODULE.exists() and (modprobe := shutil.which("modprobe")):
        subprocess.run([modprobe, "--quiet", "ifb", "numifbs=0"], capture_output=True, check=False)


def lacking(conditions: Conditions) -> str:
    """Return why this kernel cannot apply these conditions, or "" if it can. It is tried, if ifb is loaded."""
    if not _MODULE.exists():
        return "the kernel has no module ifb, or root has not loaded it (modprobe ifb numifbs=0)"
    try:
        with contextlib.closing(Namespace()) as namespace, namespace.entered():
            _run(["ip", "-batch", "-"], ["link add eth0 type veth peer name other"])
            apply(conditions)
    except OSError as error:
        return str(error)
    return ""


def counted(interface: str = "eth0") -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the frames that came to the link and those that it lost, outbound and inbound, so far."""
    return _counted(interface), _counted(_BACK)


def _counted(interface: str) -> tuple[int, int]:
    (root, *_) = json.loads(_run(["tc", "-s", "-j", "qdisc", "show", "dev", interface, "root"], []))
    return root["packets"] + root["drops"], root["drops"]


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}us"


def _run(command: Sequence[str], lines: Sequence[str]) -> str:
    """Run a program on these lines, and return what it prints. Raises OSError with its first words of trouble."""
    try:
        done = subprocess.run(
            command, input="\n".join(lines), capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} took more than {_WITHIN_S:.0f} s") from None
    if done.returncode:
        raise OSError(f"{command[0]}: {(done.stderr.strip() or 'it failed').splitlines()[0]}")
    return done.stdout


def main() -> None:
    """Print, a line each, what netem and tbf lack: for a caller that must enter a network of its own first."""
    for conditions in (Conditions(delay=0.01), Conditions(rate=1e6)):
        print(lacking(conditions))


if __name__ == "__main__":
    main()
