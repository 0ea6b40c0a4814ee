"""A plan of subscribers as small and as quick as a machine carries it.

All times are multiplied by one pace: lives, steps within a burst, and the NAT's timers. So the machine makes more
attempts in a second than the subscribers would, and the NAT is full after a minute. What is still too much is
divided: the attempts of each class exactly, and subscribers, ports and common limits as far as whole numbers go.
What each subscriber has for itself, such as a quota, stays. A class that is left with a part of a subscriber has
one that does that part of the work.

A machine has its own least times, which no pace divides: half a second for which a freed port rests, and some time
for the last segments of a connection.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from controller.settings import ConfigurationError, Settings, checked
from controller.settings.extensions import is_file
from testbed.plan.carrier import warming
from testbed.plan.chosen import Chosen
from testbed.plan.loads import Loads
from testbed.plan.scaled import CLOSING_S, LEAST_HOLDING_S, MOST_HOSTS, MOST_PER_S
from testbed.plan.workload import FIRST_INSIDE, Population, Workload

MOST_WARM_UP_S = 75.0
"""The seconds in which a NAT on the wire fills up, at most."""
LEAST_TIMER_S = 1.0
"""The shortest timer on the wire: a tick, and an answer that comes late, are little of it."""
SHARED = ("ports", "limit_sessions", "limit_sessions_per_destination", "limit_port_mappings", "limit_subscribers")
"""The settings that are about all subscribers together, and are divided with them."""
OURS = {"port_allocation_type": "random", "on_exhaustion": "drop"}
"""The settings that may be files of one's own, and a value that is none."""
AFTER_THE_END = ("tcp_trans_close_timeout", "tcp_rst_timeout")


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Subscribers for a lab, as parts of those of a plan, and what is set for them."""

    populations: list[Population]
    size: float
    """The part of the plan's attempts, ports and common limits."""
    pace: float
    """The part of the plan's times."""
    rate: float
    """The attempts in a second of the lab, on average."""
    holding: float
    """The seconds of the lab for which each has its port, on average."""
    warm_up: float
    """The seconds of the lab until the NAT is as full as it gets."""
    settings: dict[str, Any]

    @property
    def hosts(self) -> tuple[int, int]:
        """The number of inside hosts, and of addresses of each: enough for all subscribers."""
        return hosts_for(sum(each.count for each in self.populations))


def shrunk(chosen: Chosen) -> Shrunk:
    """Return the subscribers of a plan for a lab. Raises ConfigurationError if there can be none."""
    require_on_the_wire(chosen)
    nat, workload = without_files(chosen).nat(), Workload(chosen.parameters, random.Random(0))
    offered = Loads(chosen.parameters, nat, workload.populations, workload.shares).offered()
    rate, erlangs = sum(each.rate for each in offered), sum(each.erlangs for each in offered)
    warm_up = warming(chosen, nat)
    size = min(1.0, MOST_PER_S / rate, MOST_WARM_UP_S * MOST_PER_S / max(rate * warm_up, 1.0))
    pace = pace_for(nat, rate * size, erlangs / rate)
    changed = {**smaller(chosen.settings, size), **quicker(chosen.settings, pace)}
    _require_possible(chosen.settings, changed, size)
    return Shrunk(
        populations=divided(workload.populations, size),
        size=size,
        pace=pace,
        rate=rate * size / pace,
        holding=erlangs / rate * pace,
        warm_up=warm_up * pace,
        settings=changed,
    )


def without_files(chosen: Chosen) -> Chosen:
    """Return the same plan with strategies of ours: its timers are asked for, and no file of one's own is met."""
    return chosen.but(**{key: ours for key, ours in OURS.items() if is_file(str(getattr(chosen.settings, key)))})


def require_on_the_wire(chosen: Chosen) -> None:
    """Raise ConfigurationError for what a simulation can have, and a gateway cannot."""
    if (size := chosen.parameters.block_of_each) is not None:
        raise ConfigurationError(
            f"parameter block_of_each={size} is not possible on the wire: no gateway has ports by arithmetic; "
            f"take port_allocation_type=blocks with port_set_size={size}"
        )


def pace_for(nat: NatSettings, rate: float, holding: float) -> float:
    """Return the pace at which a machine makes `rate` attempts a second, each with its port for `holding` s."""
    shortest = min(nat.udp_timeout, nat.tcp_timeouts[TcpTimer.OPENING], nat.tcp_timeouts[TcpTimer.ESTABLISHED])
    return min(1.0, max(rate / MOST_PER_S, LEAST_HOLDING_S / holding, LEAST_TIMER_S / shortest))


def divided(populations: Sequence[Population], size: float) -> list[Population]:
    """Return a part of each class: exactly that part of its bursts, by one subscriber at least."""
    counts = [max(1, round(each.count * size)) for each in populations]
    firsts = itertools.accumulate(counts, initial=FIRST_INSIDE)
    return [
        dataclasses.replace(each, count=count, first=first, bursts=each.bursts * size)
        for each, count, first in zip(populations, counts, firsts, strict=False)
    ]


def smaller(settings: Settings, size: float) -> dict[str, Any]:
    """Return what is set for a part of the subscribers. Raises ConfigurationError for ports that are no number."""
    if size == 1:
        return {}
    if not isinstance(settings.ports, int):
        raise ConfigurationError(
            f"setting ports={settings.ports} is not possible on the wire for a plan of this size: they have to be "
            f"divided by {1 / size:.1f}; take a number of ports, or fewer subscribers"
        )
    limits = {key: getattr(settings, key) for key in SHARED}
    return {key: max(1, round(value * size)) for key, value in limits.items() if value is not None}


def quicker(settings: Settings, pace: float) -> dict[str, Any]:
    """Return what is set for another pace. After the end of a connection its last segments need some time."""
    scale = settings.time_scale * pace
    ends = {key: max(getattr(settings, key), CLOSING_S / scale) for key in AFTER_THE_END}
    per_s = settings.new_mapping_rate_per_subscriber
    rates = {} if per_s is None else {"new_mapping_rate_per_subscriber": per_s / pace}
    return {**ends, **rates, "time_scale": scale}


def _require_possible(settings: Settings, changed: dict[str, Any], size: float) -> None:
    """Raise ConfigurationError if the divided ports are too few for what each subscriber has."""
    try:
        checked(Settings, {**settings.model_dump(mode="json"), **changed}, kind="setting")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"this plan is not possible on the wire: ports are divided by {1 / size:,.1f} with the subscribers, "
            f"and then {error}; take fewer subscribers"
        ) from None


def hosts_for(subscribers: int) -> tuple[int, int]:
    """Return the number of inside hosts for subscribers, and the addresses of each."""
    hosts = max(1, min(subscribers, MOST_HOSTS))
    return hosts, -(-subscribers // hosts)
