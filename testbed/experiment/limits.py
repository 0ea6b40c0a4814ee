"""Limits and timers that could stop a question's connections, though its expectations do not reckon with them.

A NAT that follows such a setting does as it was told, and a check would turn red all the same. So the run is
refused, but only where the setting could bite at the size of the question (`Demand`). A scenario names in
`reckons_with` those that its expectations follow.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from controller.nat.model import EndedBy
from controller.settings import MARKS, Bites, Settings
from testbed.experiment.demand import Demand, Return
from testbed.experiment.promise import room
from testbed.experiment.requirements import Refusal
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion

ANSWERED_WITHIN_S = 3.0
"""Seconds within which a busy machine answers a connection."""
ERRORS_AT_ONCE = 65_536
"""ICMP errors about refused packets that our NAT sends at once, whatever `icmp_rate` is."""
EVICTING_AT_ONCE = 1024
"""The most attempts that are under way together where each waits for an evicted mapping's port."""
SECONDS_BETWEEN_TRIES = 1.0
"""A client that got no answer asks again after this time."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one NAT has to bear: the demand, under these settings."""

    demand: Demand
    settings: Settings
    behaviour: Behaviour
    patience: float = 0.0

    @property
    def fits(self) -> int:
        """The connections of a protocol for which there are ports."""
        return self.settings.capacity if self.demand.fits is None else self.demand.fits

    @property
    def holds(self) -> bool:
        """Whether a packet for which something has run short waits first."""
        return any(each.value.holds for each in self._shortages)

    @property
    def evicts(self) -> bool:
        """Whether the least recently used mapping goes for a packet, which waits for its port."""
        return any(each.value.evicts == "lru" for each in self._shortages)

    @property
    def _shortages(self) -> tuple[Entry[Exhaustion], Entry[Exhaustion]]:
        return self.behaviour.ports_exhausted, self.behaviour.state_exhausted

    @property
    def one_takes_all(self) -> bool:
        """Whether the first subscriber alone takes every port before any other comes."""
        one = dataclasses.replace(self.demand, shares=self.demand.shares[:1])
        return min(one.attempts, room(self.settings, one.protocols[0], 1)) >= self.settings.capacity

    @property
    def tries(self) -> int:
        """The packets by which a client asks for one connection, if it gets no answer."""
        return 1 + math.floor(self.patience / SECONDS_BETWEEN_TRIES)

    def refused(self, protocol: str) -> int:
        """Return the number of connections for which there is no room."""
        fits = min(self.fits, room(self.settings, protocol, len(self.demand.shares)))
        return max(0, self.demand.attempts - fits)


@dataclass(frozen=True, slots=True)
class Bite:
    """Why a setting could stop what the question is about, and a value with which it could not."""

    why: str
    way_out: str


def bites(load: Load, *, reckoned: Collection[str]) -> Iterator[Refusal]:
    """Yield a refusal for each limit and timer that could bite, but for those that are `reckoned` with."""
    for key, mark in MARKS.items():
        value = getattr(load.settings, key)
        if key in reckoned or value is None or value == []:
            continue
        if found := _BITES[mark](key, load):
            shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
            yield Refusal(key, shown, found.why, found.way_out)


def _all(key: str, load: Load) -> Bite | None:
    protocols = [each for each in load.demand.protocols if key != "flow_limit" or each != "icmp"]
    # One more than there are ports for: it has to be the ports that stop it.
    wanted = len(protocols) * min(load.demand.attempts, load.fits + 1)
    if getattr(load.settings, key) >= wanted:
        return None
    why = f"{wanted:,} connections are to be tried at once, and nothing but the ports is to stop them"
    return Bite(why, _enough(key, wanted))


def _subscriber(key: str, load: Load) -> Bite | None:
    _, _, own = key.removeprefix("port_quota").rpartition("_")
    protocols = [each for each in load.demand.protocols if own in ("", each)]
    wanted = len(protocols) * min(load.demand.of_one, load.fits + 1)
    if getattr(load.settings, key) >= wanted:
        return None
    why = f"one subscriber is to try {wanted:,} connections, and nothing but the ports is to stop them"
    return Bite(why, _enough(key, wanted))


def _subscribers(key: str, load: Load) -> Bite | None:
    wanted = sum(share > 0 for share in load.demand.shares)
    if getattr(load.settings, key) >= wanted:
        return None
    return Bite(f"{wanted:,} subscribers are to connect", _enough(key, wanted))


def _own_ports(key: str, load: Load) -> Bite | None:
    size, users = getattr(load.settings, key), sum(share > 0 for share in load.demand.shares)
    together = math.ceil(users / len(load.settings.external_addresses))
    if together * size > load.settings.capacity_of_address:
        return Bite(f"ports are to be reserved for each of {users:,} subscribers", f"{key}=null, or fewer clients")
    wanted = min(load.demand.of_one, load.fits + 1)
    if size >= wanted:
        return None
    why = f"one subscriber is to try {wanted:,} connections, and nothing but the pool's ports is to stop them"
    return Bite(why, _enough(key, wanted))


def _destination(key: str, load: Load) -> Bite | None:
    wanted = min(load.demand.attempts, load.fits + 1)
    if getattr(load.settings, key) >= wanted:
        return None
    why = f"{wanted:,} connections to one destination are to be tried, and nothing but the ports is to stop them"
    return Bite(why, _enough(key, wanted))


def _rate(key: str, load: Load) -> Bite | None:
    demand, allowed = load.demand, getattr(load.settings, key)
    at_once = demand.fills * len(demand.protocols) * demand.of_one * load.tries
    wanted = at_once if demand.each_s is None else min(at_once, math.ceil(2 * demand.each_s))
    if allowed >= wanted:
        return None
    return Bite(f"one subscriber is to try {wanted:,} connections in a second or less", _enough(key, wanted))


def _blocks(key: str, load: Load) -> Bite | None:
    settings, demand = load.settings, load.demand
    if settings.port_allocation_type != "blocks":
        return None
    if key == "port_set_timeout":
        if demand.returns is not Return.OTHERS:
            return None
        return Bite("a freed port stays with its subscriber for that time, and another is to get it", _NO_BLOCKS)
    if _blocks_suffice(load):
        return None
    why = "ports would be free in one subscriber's block when another asks in vain"
    return Bite(why, f"fewer clients or smaller blocks, or {_NO_BLOCKS}")


def _blocks_suffice(load: Load) -> bool:
    """Whether all get what they ask for, or every port is taken when there is no other block."""
    settings, size, addresses = load.settings, load.settings.port_set_size, len(load.settings.external_addresses)
    suffixes = ("", *(f"_{each}" for each in load.demand.protocols))
    quotas = [getattr(settings, f"port_quota{suffix}") for suffix in suffixes]
    most = min([settings.capacity_of_address, *(each for each in quotas if each is not None)])
    shares = [min(share, most) for share in load.demand.shares if share]
    together = math.ceil(len(shares) / addresses)
    wanted = sum(math.ceil(share / size) for share in shares)
    blocks = [len(each) for each in settings.blocks]
    whole = blocks.count(size)  # the last block of a range is shorter where its ports do not divide
    all_fit = wanted <= whole * addresses and together * math.ceil(max(shares) / size) <= whole
    are_even = load.demand.in_turn and max(shares) - min(shares) <= 1
    if load.evicts and not are_even:
        return False  # for a newcomer one of its own subscriber's has to go
    all_filled = are_even and min(shares) >= size * math.ceil(len(blocks) / together)
    divide = whole == len(blocks) and all(share % size == 0 for share in shares)
    return all_fit or all_filled or divide or load.one_takes_all


def _waiting(key: str, load: Load) -> Bite | None:
    if not load.holds and not load.evicts:
        return None
    wanted = load.demand.waiting
    if wanted is None:
        repeated = {each: 1 if each == "tcp" else load.tries for each in load.demand.protocols}
        wanted = max(load.refused(each) * times for each, times in repeated.items())
    if load.evicts:
        wanted = min(wanted, EVICTING_AT_ONCE)
    if getattr(load.settings, key) >= wanted:
        return None
    return Bite(f"{wanted:,} packets may have to wait at once", f"{key}={wanted} or more")


def _victims(key: str, load: Load) -> Bite | None:
    if not load.evicts or not getattr(load.settings, key):
        return None
    return Bite("one connection is to be evicted for each that comes, however recently it was used", f"{key}=0")


def _errors(key: str, load: Load) -> Bite | None:
    outcomes = load.behaviour.ports_exhausted.value.outcome or {}
    wanted = load.demand.fills * sum(
        load.refused(each) for each in load.demand.protocols if outcomes.get(each) == "icmp"
    )
    if max(ERRORS_AT_ONCE, getattr(load.settings, key)) >= wanted:
        return None
    why = f"{wanted:,} attempts are to be answered by ICMP errors"
    return Bite(why, f"{key}={wanted} or more, or fewer attempts")


def _idle(key: str, load: Load) -> Bite | None:
    lasts = load.demand.lasts
    if lasts is None or key.partition("_")[0] not in load.demand.protocols or load.settings.in_force(key) >= lasts:
        return None
    why = f"a connection may stay unused for {lasts:g} s, and is not to end by that"
    return Bite(why, _long(key, lasts, load.settings))


def _opening(key: str, load: Load) -> Bite | None:
    timed = load.demand.lasts is not None and "tcp" in load.demand.protocols
    if not timed or load.settings.in_force(key) >= ANSWERED_WITHIN_S:
        return None
    why = f"a busy machine may take {ANSWERED_WITHIN_S:g} s to answer a connection"
    return Bite(why, _long(key, ANSWERED_WITHIN_S, load.settings))


def _return(key: str, load: Load) -> Bite | None:
    demand, settings = load.demand, load.settings
    is_usual = settings.filtering_type == "eif" and {*demand.protocols} != {"tcp"}  # RFC 6888 REQ-8 (a), (c)
    by_end = [getattr(settings, by.value) for by in EndedBy if by is not EndedBy.OTHER]
    if demand.returns is Return.NEVER or (key == "hold_down_timeout" and not is_usual):
        return None
    if key == "hold_down_max":
        most, held_down = min(demand.attempts, load.fits), is_usual and settings.hold_down_timeout > 0
        if not (held_down or any(by_end)) or getattr(settings, key) >= most:
            return None
        return Bite(f"{most:,} ports are to be held down, each for its time", _enough(key, most))
    return Bite("a port is to come back, and it is not known when", "another value")


def _pool(key: str, load: Load) -> Bite | None:
    return Bite("every port of the pool counts", f"{key}=[]")


def _translation(key: str, load: Load) -> Bite | None:
    return Bite("every connection is to be translated", f"{key}=[]")


_BITES: dict[Bites, Callable[[str, Load], Bite | None]] = {
    Bites.ALL: _all,
    Bites.SUBSCRIBER: _subscriber,
    Bites.SUBSCRIBERS: _subscribers,
    Bites.DESTINATION: _destination,
    Bites.RATE: _rate,
    Bites.OWN_PORTS: _own_ports,
    Bites.BLOCKS: _blocks,
    Bites.WAITING: _waiting,
    Bites.VICTIMS: _victims,
    Bites.ERRORS: _errors,
    Bites.IDLE: _idle,
    Bites.OPENING: _opening,
    Bites.RETURN: _return,
    Bites.POOL: _pool,
    Bites.TRANSLATION: _translation,
}
_NO_BLOCKS = "port_allocation_type=random"


def _enough(key: str, wanted: int) -> str:
    return f"{key}={wanted} or more, or {key}=null"


def _long(key: str, seconds: float, settings: Settings) -> str:
    return f"{key}={math.ceil(seconds / settings.time_scale)} or more"


def idle_timers(demand: Demand, settings: Settings) -> dict[str, Any]:
    """Return idle timers with which no connection ends by itself, as defaults: what the user sets wins.

    Those of UDP and ICMP are just that long, so that ports which have no other way come back soon.
    """
    if demand.lasts is None:
        return {}
    lasts, answered = demand.lasts / settings.time_scale, ANSWERED_WITHIN_S / settings.time_scale
    return {
        "udp_timeout": lasts,
        "icmp_timeout": lasts,
        "tcp_idle_timeout": max(settings.tcp_idle_timeout, lasts),
        "tcp_trans_open_timeout": max(settings.tcp_trans_open_timeout, answered),
    }
