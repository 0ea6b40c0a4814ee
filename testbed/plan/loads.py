"""How many erlangs the subscribers offer a NAT: the rates of what they do times how long each keeps its port.

A NAT keeps a port for longer than the connection lives: for a closing timer, or for an idle timeout after the last
packet. It reads the switch's packet counts a few times within an idle timeout, and takes the reading that finds a
packet for the time of that packet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from controller.nat.connections import EXAMINATIONS
from controller.nat.model import EndedBy, Protocol
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from testbed.plan.parameters import PlanParameters
from testbed.plan.subscribers import DNS_LIFE_S, SPREAD
from testbed.plan.theory import Offered
from testbed.plan.workload import Population

LIVES = 4000
"""The lives that are drawn to know how long a reading of counts comes after the last packet."""


class Holding:
    """The mean seconds for which a connection of each kind keeps its port."""

    def __init__(self, parameters: PlanParameters, nat: NatSettings) -> None:
        timers, resets = nat.tcp_timeouts, parameters.resets
        closed = timers[TcpTimer.CLOSING] + nat.hold_down(Protocol.TCP, EndedBy.FIN)
        reset = timers[TcpTimer.RESET] + nat.hold_down(Protocol.TCP, EndedBy.RST)
        after = (1 - resets) * closed + resets * reset
        released = nat.rest + nat.hold_down(Protocol.UDP, EndedBy.IDLE)
        self.tcp = parameters.life + after + nat.rest
        self.dns = _read([DNS_LIFE_S], nat.udp_timeout) + nat.udp_timeout + released
        rng, middle = random.Random(0), math.log(parameters.life) - SPREAD**2 / 2
        lives = [rng.lognormvariate(middle, SPREAD) for _ in range(LIVES)]
        self.udp = _read(lives, nat.udp_timeout) + nat.udp_timeout + released


def _read(lives: Sequence[float], timeout: float) -> float:
    """Return the mean time from a mapping's first packet until the first reading of counts after its last."""
    interval = timeout / EXAMINATIONS
    return sum(math.ceil(life / interval) * interval for life in lives) / len(lives)


class Loads:
    """The load of all subscribers, by protocol and destinations, and that of one subscriber of each class."""

    def __init__(
        self,
        parameters: PlanParameters,
        nat: NatSettings,
        populations: Sequence[Population],
        shares: Sequence[float],
    ) -> None:
        self._parameters, self._populations, self._shares = parameters, populations, shares
        self.holding = Holding(parameters, nat)

    def offered(self) -> list[Offered]:
        """Return the load of all subscribers."""
        return [each for population in self._populations for each in self._of(population)]

    def by_protocol(self) -> dict[str, float]:
        """Return the erlangs of each protocol."""
        loads = self.offered()
        return {
            name: sum(each.erlangs for each in loads if each.protocol == name)
            for name in dict.fromkeys(each.protocol for each in loads)
        }

    def of_one(self, population: Population) -> float:
        """Return the erlangs of one subscriber of a class, over all protocols."""
        return sum(each.erlangs for each in self._of(population)) / population.count

    def _of(self, population: Population) -> Iterator[Offered]:
        """Yield the load of a class: TCP, QUIC, DNS and peers."""
        chosen, holding, of = self._parameters, self.holding, population.of
        rate = population.bursts * of.burst
        web = rate * (1 - of.peers) * (1 - chosen.dns)
        tcp = web * (1 - chosen.quic)
        z_tcp, z_udp = (1 + part * (of.burst - 1) for part in (tcp / rate, 1 - tcp / rate))
        yield Offered("tcp", tcp, holding.tcp, z_tcp, self._shares)
        yield Offered("udp", web * chosen.quic, holding.udp, z_udp, self._shares)
        yield Offered("udp", rate * (1 - of.peers) * chosen.dns, holding.dns, z_udp)
        yield Offered("udp", rate * of.peers, holding.udp, z_udp, ())
