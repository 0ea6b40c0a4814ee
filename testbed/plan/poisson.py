"""Plain calls, for comparison with telephone tables: Poisson attempts to one destination, one connection each.

The load in erlangs is the rate times the holding time, which is all of a mapping's life. That is the connection's,
which is drawn from an exponential distribution, and then the closing timer and the port's rest. So what a NAT
adds to the life of a connection is part of the load, as it is in practice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from controller.nat.model import EndedBy, Endpoint, Packet, Protocol, TcpFlags
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from testbed.plan.arrivals import Arrival, Ending

FIRST_INSIDE = 0x0A000001
"""10.0.0.1"""
SERVER = Endpoint(0xC6336401, 443)
"""198.51.100.1"""
FIRST_PORT, SOURCE_PORTS = 1024, 64512


@dataclass(frozen=True, slots=True)
class Calls:
    """A load of `erlangs`, of connections that live for `life` seconds on average, from inside addresses.

    `after` are the seconds for which the NAT keeps a port after its connection has ended. With `sources` each
    inside address has one connection at most, and there are so many of them (Engset's model). Without, they only
    take turns.
    """

    erlangs: float
    life: float
    after: float
    subscribers: int
    sources: int | None = None

    @property
    def holding(self) -> float:
        """The mean time for which a mapping has its port."""
        return self.life + self.after

    @property
    def rate(self) -> float:
        """The attempts in a second; of `sources`, those that all of them would make if none were busy."""
        if self.sources is None:
            return self.erlangs / self.holding
        return self.sources * self.erlangs / (self.sources - self.erlangs) / self.holding

    def arrivals(self, rng: random.Random) -> Iterator[Arrival]:
        """Yield attempts without an end."""
        at, number, rate, deaths = 0.0, 0, self.rate, 1 / self.life
        hosts = self.sources or self.subscribers
        tcp, syn, fin = Protocol.TCP, TcpFlags.SYN, Ending.FIN
        while True:
            at += rng.expovariate(rate)
            host = int(rng.random() * hosts)
            port = FIRST_PORT + number % SOURCE_PORTS
            number += 1
            packet = Packet(tcp, Endpoint(FIRST_INSIDE + host, port), SERVER, syn)
            yield at, packet, at + rng.expovariate(deaths), fin, 0, 0


def kept_after(settings: NatSettings) -> float:
    """Return the seconds for which a port is kept after a TCP connection's FINs: timer, rest and hold-down."""
    held_down = settings.hold_down(Protocol.TCP, EndedBy.FIN)
    return settings.tcp_timeouts[TcpTimer.CLOSING] + settings.rest + held_down
