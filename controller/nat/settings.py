"""What the NAT's core is told at its start. Reading and checking a user's settings is not done here."""

from __future__ import annotations

from dataclasses import dataclass

from controller.nat.allocators import Allocator
from controller.nat.exhaustion import ExhaustionPolicy
from controller.nat.tcp import TcpTimer


@dataclass(frozen=True, slots=True)
class NatSettings:
    """The pool, the strategies and the timers; all times in seconds.

    `rest` is how long a freed port stays out of use while the switch may still have the old flow in its
    cache; `hold_down_timeout` is RFC 6888 REQ-8's, and counts instead of the rest where it is longer.
    """

    external_addresses: tuple[int, ...]
    ports: range
    allocator: type[Allocator]
    on_exhaustion: ExhaustionPolicy
    udp_timeout: float
    icmp_timeout: float
    tcp_timeouts: dict[TcpTimer, float]
    hold_down_timeout: float
    rest: float
