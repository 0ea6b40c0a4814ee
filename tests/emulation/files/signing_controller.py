"""A controller like our own, but its ICMP errors come from another address than the NAT's.

python -m signing_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

from __future__ import annotations

import ipaddress
import runpy

from controller.openflow import answers, errors
from controller.openflow.frames import Ipv4

SOMEBODY_ELSE = int(ipaddress.IPv4Address("192.0.2.99"))


def unreachable(ip: Ipv4, *, code: int, source: int) -> bytes | None:
    """Return the ICMP error that is asked for, with another sender."""
    return answers.unreachable(ip, code=code, source=SOMEBODY_ELSE)


errors.unreachable = unreachable  # type: ignore[attr-defined]
runpy.run_module("controller", run_name="__main__")
