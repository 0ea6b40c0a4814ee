"""What formulas say about a plan, for each figure to stand beside what was simulated.

    Erlang B        one pool of ports. Attempts come one by one
    Engset          a number of sources with one connection each
    Hayward         bursts: Z calls that come together need Z times the room, so N/Z ports carry A/Z erlangs
    destinations    where ports overlap (RFC 7857 section 3), each destination has a pool of its own
    quota           each subscriber has a pool of its own

Where a subscriber has ports at one external address alone (paired pooling), each address is a pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from testbed.plan.erlang import apart, engset, erlang_b


@dataclass(frozen=True, slots=True)
class Offered:
    """The load of one protocol to one group of destinations, and the peakedness of its arrivals."""

    protocol: str
    rate: float
    holding: float
    peakedness: float
    shares: Sequence[float] = (1.0,)
    """The shares of single destinations in it."""

    @property
    def erlangs(self) -> float:
        """The load: the attempts in a second times the seconds for which each has its port."""
        return self.rate * self.holding


@dataclass(frozen=True, slots=True)
class Model:
    """What one formula says: the load, the ports, and the share of attempts that are refused."""

    name: str
    erlangs: float
    ports: int
    refused_share: float

    def as_json(self) -> dict[str, object]:
        """Return it as results have it."""
        return {
            "model": self.name,
            "erlangs": round(self.erlangs, 3),
            "ports": self.ports,
            "refused_share": self.refused_share,
        }


def models(offered: Sequence[Offered], ports: int, pools: int, *, overlap: bool) -> Iterator[Model]:
    """Yield the models of a number of equal pools, of `ports` each for each protocol."""
    by_protocol = {each.protocol: [one for one in offered if one.protocol == each.protocol] for each in offered}
    rates = {name: sum(one.rate for one in those) for name, those in by_protocol.items()}
    loads = {name: sum(one.erlangs for one in those) / pools for name, those in by_protocol.items()}
    total = sum(loads.values()) * pools
    if overlap:
        lost = [
            one.rate * apart([share * one.erlangs / pools for share in one.shares], ports)
            for one in together(offered)
        ]
        yield Model("Erlang B for each destination", total, ports, _mean(lost, rates.values()))
        return
    lost = [rates[name] * erlang_b(load, ports) for name, load in loads.items()]
    yield Model("Erlang B", total, ports * pools, _mean(lost, rates.values()))
    peaks = {name: sum(one.peakedness * one.erlangs for one in those) for name, those in by_protocol.items()}
    if any(one.peakedness > 1 for one in offered):
        lost = []
        for name, load in loads.items():
            z = peaks[name] / (load * pools)
            lost.append(rates[name] * between(load / z, ports / z))
        yield Model("Hayward (bursts)", total, ports * pools, _mean(lost, rates.values()))


def together(offered: Sequence[Offered]) -> list[Offered]:
    """Return the loads, those of several classes to the same destinations as one."""
    whole: list[Offered] = []
    for one in offered:
        same = (one.protocol, one.shares)
        place = next((at for at, each in enumerate(whole) if (each.protocol, each.shares) == same), None)
        if place is None:
            whole.append(one)
        elif one.rate:
            rate = whole[place].rate + one.rate
            holding = (whole[place].erlangs + one.erlangs) / rate
            whole[place] = replace(whole[place], rate=rate, holding=holding)
    return whole


def of_quota(name: str, erlangs: float, quota: int, peakedness: float) -> Iterator[Model]:
    """Yield the models of one subscriber's quota."""
    whose = f"of the quota of a {name} subscriber"
    yield Model(f"Erlang B {whose}", erlangs, quota, erlang_b(erlangs, quota))
    if peakedness > 1:
        blocking = between(erlangs / peakedness, quota / peakedness)
        yield Model(f"Hayward {whose}", erlangs, quota, blocking)


def of_sources(erlangs: float, ports: int, sources: int) -> Model:
    """Return Engset's model."""
    return Model("Engset", erlangs, ports, engset(erlangs, ports, sources))


def between(erlangs: float, ports: float) -> float:
    """Return Erlang B between two whole numbers of ports, on a straight line."""
    whole = int(ports)
    low, high = erlang_b(erlangs, whole), erlang_b(erlangs, whole + 1)
    return low + (ports - whole) * (high - low)


def _mean(lost: Iterable[float], rates: Iterable[float]) -> float:
    rate = sum(rates)
    return sum(lost) / rate if rate else 0.0
