"""Our own controller, but it signs its ICMP errors with somebody else's address.

python -m signing_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

from __future__ import annotations

import ipaddress
import runpy

from controller.openflow import answers, router
from controller.openflow.frames import Ipv4

SOMEBODY_ELSE = int(ipaddress.IPv4Address("192.0.2.99"))


def unreachable(ip: Ipv4, *, code: int, source: int) -> bytes | None:
    """Return the error that is asked for, from another sender."""
    return answers.unreachable(ip, code=code, source=SOMEBODY_ELSE)


router.unreachable = unreachable  # type: ignore[attr-defined]
runpy.run_module("controller", run_name="__main__")
