"""Connections at a rate against a pool of ports: what the pool can bear, and what has to become of the rest.

A connection occupies a port while it is used, and for a while longer: until the NAT gives the port again. A pool
of c ports that are occupied for D seconds each serves c / D connections a second, however short they are.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from scenarios.shared.filling import QUICK_RELEASE
from scenarios.shared.requirements import even_blocks
from testbed.api import (
    SYN_TIMER_S,
    Asked,
    Behaviour,
    Demand,
    Of,
    Refusal,
    Requirement,
    Return,
    Settings,
    SubscriberParameters,
    of_ports,
    room,
)

MOST_PER_SECOND = 800.0
"""Connections a second that every machine can open, so that only the NAT refuses."""
MOST_SPREAD_SHARE = 1 / 3
"""The same, of the time for which a port is occupied, where the share that is refused has to show a lost port."""
MOST_SPREAD_S = 2.0
"""The most seconds between the earliest and the latest return of a port, where a rate is to be computed."""
LAST_SEGMENTS_S = 0.1
"""Seconds for which a NAT has to know a closed connection, so that its last segments pass, also if it is busy."""
BUSY_S = 10.0
"""Seconds for which a busy machine may keep a connection longer than it is used."""
SMALL_POOL: dict[str, Any] = {
    **QUICK_RELEASE,
    "ports": 32,
    "port_set_size": 4,
    "tcp_trans_close_timeout": 0.4,
    "tcp_rst_timeout": 0.4,
}
"""Settings for a pool that a low rate exhausts, while ports come back in less than a second."""


class RateParameters(SubscriberParameters):
    """How long a connection lasts, where connections come by the clock."""

    holding: float = Field(
        0.3, strict=True, ge=0.1, le=60, description="seconds for which each connection is used"
    )


class BurstParameters(RateParameters):
    """By how much more connections come than a pool can bear, and how many."""

    load: float = Field(
        1.25, strict=True, gt=1, le=3, description="connections offered, as a multiple of capacity"
    )
    rounds: float = Field(2, strict=True, ge=1.5, le=20, description="connections in all, as a multiple of ports")

    def arrivals(self, pool: Pool) -> list[float]:
        """Return when they come."""
        return evenly(round(pool.ports * self.rounds), pool.rate * self.load)


@dataclass(frozen=True, slots=True)
class Pool:
    """What a NAT's pool can bear: `ports` connections at once, each for `occupied` seconds."""

    ports: int
    occupied: float
    source: str
    spread: float = 0.0
    """The most seconds by which a port comes back later than after `occupied`."""
    by_chance: bool = False
    """Whether a closed connection's port comes back by no timer: a newcomer takes it at once, with some luck."""

    @classmethod
    def of(cls, behaviour: Behaviour, settings: Settings, parameters: RateParameters) -> Pool:
        """Read it from the settings, and from when the gateway gives a port again."""
        back = behaviour.port_back
        earliest, latest = back.value["close"]
        ports, occupied = room(settings, "tcp", parameters.subscribers), parameters.holding + earliest
        return cls(ports, occupied, str(back), latest - earliest, by_chance=earliest == 0)

    @property
    def rate(self) -> float:
        """Connections a second that it serves without a pause."""
        return self.ports / self.occupied

    @property
    def longest(self) -> float:
        """The most seconds for which a port is occupied."""
        return self.occupied if self.by_chance else self.occupied + self.spread

    def most_refused(self, load: float) -> float:
        """Return the share that is refused in the long run at `load` times the rate, if all ports are late."""
        return max(0.0, 1 - self.occupied / self.longest / load)

    def waits(self, arrivals: Sequence[float]) -> list[float]:
        """Return for each of these arrivals the seconds until it has a port, if each waits until it has one."""
        starts: list[float] = []
        for number, arrival in enumerate(arrivals):
            free = starts[number - self.ports] + self.occupied if number >= self.ports else arrival
            starts.append(max(arrival, free))
        return [start - arrival for start, arrival in zip(starts, arrivals, strict=True)]

    def refuses(self, arrivals: Sequence[float]) -> list[bool]:
        """Return for each of these arrivals whether it finds no port, if none of them comes again."""
        free_at, refused = collections.deque([0.0] * self.ports), []
        for arrival in arrivals:
            refused.append(free_at[0] > arrival)
            if free_at[0] <= arrival:
                free_at.popleft()
                free_at.append(arrival + self.occupied)
        return refused


def pool_of(asked: Asked) -> Pool:
    """Return the pool of a run that is being decided."""
    return Pool.of(asked.declared, asked.settings, asked.parameters)


def at_a_rate(parameters: RateParameters, settings: Settings, load: float, *, subscribers: int) -> Demand:
    """Return what a NAT has to bear of connections by the clock, at `load` times what its pool can bear."""
    share = load * settings.capacity / subscribers
    most = min(settings.capacity, math.ceil(share) + 1)
    lasts = parameters.holding + BUSY_S
    return Demand((most,) * subscribers, lasts=lasts, returns=Return.SAME, each_s=share / parameters.holding)


def steady_pool(load: Callable[[Asked], float], *, least: int = 1, share: float = 1.0) -> tuple[Requirement, ...]:
    """Need a pool whose rate is known and can be offered `load` times.

    `share` of the subscribers use it. If ports are given in blocks, each has `least` of them or more.
    """
    return ports_back_in_time(), rate_in_reach(load), even_blocks(least=least, share=share), last_segments_pass()


def last_segments_pass() -> Requirement:
    """Need a closing timer during which a connection's last segments pass: without them no server ends it."""

    def unmet(asked: Asked) -> Refusal | None:
        timer, settings = "tcp_trans_close_timeout", asked.settings
        if settings.in_force(timer) >= LAST_SEGMENTS_S:
            return None
        why = f"the last segments of a connection take up to {LAST_SEGMENTS_S:g} s on a busy machine"
        least = math.ceil(LAST_SEGMENTS_S / settings.time_scale)
        return Refusal(timer, getattr(settings, timer), why, f"{timer}={least} or more")

    return Requirement(f"{LAST_SEGMENTS_S:g} s for the last segments of each connection", unmet, Of.SETTINGS)


def ports_back_in_time() -> Requirement:
    """Need a NAT that gives ports again by its timers: else the rate that it can bear is not known."""

    def unmet(asked: Asked) -> Refusal | None:
        pool = pool_of(asked)
        if pool.spread <= MOST_SPREAD_S:
            return None
        why = (
            f"this gateway gives a port again up to {pool.spread:g} s later than this timer ends ({pool.source}), "
            "so the rate that it can bear cannot be computed"
        )
        timer = "tcp_trans_close_timeout"
        return Refusal(timer, getattr(asked.settings, timer), why, "another --gateway")

    return Requirement(f"ports that are back within {MOST_SPREAD_S:g} s of their timers", unmet, Of.GATEWAY)


def little_spread() -> Requirement:
    """Need a return of ports that is exact beside the time for which each is occupied.

    Else a NAT that gives its ports late is refused as many connections as one that has half of them.
    """

    def unmet(asked: Asked) -> Refusal | None:
        pool, timer = pool_of(asked), "tcp_trans_close_timeout"
        if pool.by_chance or pool.spread <= MOST_SPREAD_SHARE * pool.occupied:
            return None
        why = (
            f"this gateway may give a port again {pool.spread:.1f} s later than after the {pool.occupied:.1f} s "
            "for which it is occupied, so that one that is late looks like one that has lost half its ports"
        )
        way = f"{timer}=3 or more, or a longer holding"
        return Refusal(timer, getattr(asked.settings, timer), why, way)

    return Requirement(
        "ports that are back on time, beside the time for which they are occupied", unmet, Of.GATEWAY
    )


def rate_in_reach(load: Callable[[Asked], float]) -> Requirement:
    """Need a rate that every machine can offer, of connections at `load` times what the pool can bear."""

    def unmet(asked: Asked) -> Refusal | None:
        rate = pool_of(asked).rate * load(asked)
        if rate <= MOST_PER_SECOND:
            return None
        why = (
            f"it would take {rate:,.0f} connections a second, and {MOST_PER_SECOND:,.0f} is what every machine "
            "can offer"
        )
        return of_ports(asked.settings, why, "fewer ports, or a longer holding")

    return Requirement(f"at most {MOST_PER_SECOND:g} connections a second", unmet, Of.GATEWAY)


def short_waits(*, spare: float) -> Requirement:
    """Need waits that end, where the NAT holds, `spare` seconds before the hold does or a client sends again."""

    def unmet(asked: Asked) -> Refusal | None:
        parameters, settings, pool = asked.parameters, asked.settings, pool_of(asked)
        longest = max(pool.waits(parameters.arrivals(pool)))
        limit = min(settings.hold_timeout * settings.time_scale, SYN_TIMER_S)
        if not asked.declared.ports_exhausted.value.holds or longest + spare <= limit:
            return None
        why = (
            f"with rounds={parameters.rounds:g} a packet would wait for {longest:.2f} s, too near to "
            f"hold_timeout={settings.hold_timeout:g} or to the second after which a client sends again"
        )
        return Refusal("load", parameters.load, why, "a lower load or fewer rounds", kind="parameter")

    return Requirement("waits that end before the hold does, and before a client sends again", unmet, Of.GATEWAY)


def evenly(count: int, rate: float, *, after: float = 0.0) -> list[float]:
    """Return the starts of `count` arrivals at a steady rate."""
    return [after + number / rate for number in range(count)]
