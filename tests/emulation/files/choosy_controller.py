"""A controller like our own, but one attempt of twenty is refused though there are ports.

python -m choosy_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

from __future__ import annotations

import itertools
import runpy

from controller.nat.model import Answer, Limit, Packet
from controller.nat.translator import Nat
from controller.nat.verdicts import Refuse, Verdict

honest, number = Nat.outbound, itertools.count(1)


def outbound(nat: Nat, packet: Packet, now: float) -> Verdict:
    """Decide on a packet from inside."""
    return honest(nat, packet, now) if next(number) % 20 else Refuse(Limit.PORTS, Answer.NOTHING)


Nat.outbound = outbound  # type: ignore[method-assign]
runpy.run_module("controller", run_name="__main__")
