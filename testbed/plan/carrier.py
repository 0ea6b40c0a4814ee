"""The plan of a carrier: what its subscribers are refused, by class and destination, and what holds the ports."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from controller.nat.model import TCP, EndedBy, Protocol
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from testbed.plan.chosen import Chosen
from testbed.plan.deterministic import assignment, strategies
from testbed.plan.differences import differences
from testbed.plan.front import explored, in_order
from testbed.plan.loads import Loads
from testbed.plan.needed import needed
from testbed.plan.theory import Model, models, of_quota
from testbed.plan.watching import Watched, watch
from testbed.plan.workload import Population, Workload

MOST_ROWS = 20
"""The destinations and the subscribers that are listed."""
LIVES = 4
"""The mean lives after which hardly any connection of before is left."""


def of_subscribers(chosen: Chosen, *, target: float | None = None, has_front: bool = False) -> dict[str, Any]:
    """Return the results for subscribers of several classes, what a `target` of refusals needs, and the front."""
    nat, parameters = nat_of(chosen), chosen.parameters
    workload = Workload(parameters, chosen.drawn("arrivals"))
    loads = Loads(parameters, nat, workload.populations, workload.shares)
    warm_up = warming(chosen, nat)
    seen = simulated(chosen, workload)
    theory = [*_theory(chosen, nat, loads, workload.populations)]
    overlaps = chosen.settings.port_overlapping != "off"
    return {
        **chosen.as_json(warm_up_s=warm_up),
        "workload": "subscribers",
        **counts(seen),
        "erlang_b": theory[0].refused_share,
        "theory": [each.as_json() for each in theory],
        "differences": list(
            differences(chosen.settings, bursts=not overlaps, overlap_helps=overlaps, own=parameters.block_of_each)
        ),
        "classes": list(_classes(seen, workload.populations, loads)),
        "destinations": list(_destinations(seen, workload)),
        "worst": list(_worst(seen, workload.populations)),
        "timers": list(timers(seen, nat, parameters.resets)),
        "log": seen.log,
        "assignment": assigned(chosen),
        "needed": target and needed(chosen, target, loads.by_protocol(), _refused_share),
        "front": in_order(explored(chosen, loads.by_protocol(), _simulated)) if has_front else [],
    }


def assigned(chosen: Chosen) -> str | None:
    """Return the one line of a log that says who has which ports by arithmetic, if that was chosen."""
    size = chosen.parameters.block_of_each
    return None if size is None else assignment(chosen.settings, chosen.parameters.subscribers, size).line()


def nat_of(chosen: Chosen) -> NatSettings:
    """Return the settings of the core, with the ports of each subscriber by arithmetic, if that was chosen."""
    nat, size = chosen.nat(), chosen.parameters.block_of_each
    if size is None:
        return nat
    allocator, pooling = strategies(assignment(chosen.settings, chosen.parameters.subscribers, size))
    return dataclasses.replace(nat, allocator=allocator, pooling=pooling)


def simulated(chosen: Chosen, workload: Workload) -> Watched:
    """Return what was counted of a NAT under a workload."""
    nat = nat_of(chosen)
    warm_up = warming(chosen, nat)
    return watch(
        nat,
        chosen.drawn("nat"),
        workload.seconds(),
        classes=len(workload.populations),
        destinations=workload.destinations,
        warm_up=warm_up,
        until=warm_up + chosen.parameters.duration,
    )


def _simulated(chosen: Chosen) -> Watched:
    return simulated(chosen, Workload(chosen.parameters, chosen.drawn("arrivals")))


def _refused_share(chosen: Chosen) -> float:
    return _simulated(chosen).tally.refused_share


def warming(chosen: Chosen, nat: NatSettings) -> float:
    """Return the seconds until a NAT has filled up: the longest of what a mapping goes through."""
    if chosen.parameters.warm_up is not None:
        return chosen.parameters.warm_up
    held_down = max(nat.hold_down_timeout, nat.hold_down(Protocol.UDP, EndedBy.IDLE))
    timers = (nat.udp_timeout * 1.25 + held_down, *_ended(nat))
    return float(round(LIVES * chosen.parameters.life + max(timers) + nat.rest))


def _ended(nat: NatSettings) -> Iterator[float]:
    yield nat.tcp_timeouts[TcpTimer.CLOSING] + nat.hold_down(TCP, EndedBy.FIN)
    yield nat.tcp_timeouts[TcpTimer.RESET] + nat.hold_down(TCP, EndedBy.RST)


def counts(seen: Watched) -> dict[str, Any]:
    """Return what any workload's results have: attempts, refusals, ports in use, and speed."""
    tally, means = seen.tally, seen.means
    return {
        "offered": tally.offered,
        "refused": tally.refused,
        "refused_share": tally.refused_share,
        "interval": list(means.interval),
        "held": tally.held,
        "evicted": seen.evicted,
        "limits": {limit.value: count for limit, count in tally.limits.most_common()},
        "simulated_s": seen.seconds,
        "mappings": {each.name.lower(): count for each, count in seen.created.items()},
        "ports": {
            each.name.lower(): {
                "mean": round(used.mean, 1),
                "peak": used.peak,
                "every_s": used.every,
                "series": used.series,
            }
            for each, used in seen.occupancy.items()
        },
        "duration_s": round(seen.real_s, 3),
        "attempts_per_s": round(seen.attempts / seen.real_s) if seen.real_s else None,
    }


def _theory(chosen: Chosen, nat: NatSettings, loads: Loads, populations: Sequence[Population]) -> Iterator[Model]:
    settings = chosen.settings
    is_paired = settings.address_allocation_type == "paired"
    pools = len(nat.external_addresses) if is_paired else 1
    overlaps = settings.port_overlapping != "off"
    yield from models(loads.offered(), nat.capacity // pools, pools, overlap=overlaps)
    if settings.port_quota is not None:
        for population in populations:
            erlangs = loads.of_one(population)
            yield from of_quota(population.of.name, erlangs, settings.port_quota, population.of.burst)


def _classes(seen: Watched, populations: Sequence[Population], loads: Loads) -> Iterator[dict[str, Any]]:
    hit = Counter(_class_of(subscriber, populations) for subscriber in seen.tally.hit)
    for place, population in enumerate(populations):
        offered, refused = seen.tally.offered_by[place], seen.tally.refused_by[place]
        yield {
            "name": population.of.name,
            "subscribers": population.count,
            "sessions": population.of.sessions,
            "source": population.of.source,
            "erlangs_of_one": round(loads.of_one(population), 3),
            **row(offered, refused),
            "subscribers_hit": hit[place],
        }


def row(offered: int, refused: int) -> dict[str, Any]:
    """Return attempts and refusals, and the share of these."""
    return {"offered": offered, "refused": refused, "refused_share": refused / offered if offered else 0.0}


def _class_of(subscriber: int, populations: Sequence[Population]) -> int:
    return next(place for place, each in enumerate(populations) if subscriber < each.first + each.count)


def _destinations(seen: Watched, workload: Workload) -> Iterator[dict[str, Any]]:
    """Yield the destinations that most go to, and those that most are refused to; then all others together."""
    tally, every = seen.tally, range(workload.destinations)
    first = sorted(every, key=lambda place: (tally.refused_to[place], tally.offered_to[place]), reverse=True)
    for place in first[:MOST_ROWS]:
        yield {"name": workload.name_of(place), **row(tally.offered_to[place], tally.refused_to[place])}
    others = first[MOST_ROWS:]
    if others:
        offered, refused = (sum(of[place] for place in others) for of in (tally.offered_to, tally.refused_to))
        yield {"name": f"{len(others):,} others", **row(offered, refused)}


def _worst(seen: Watched, populations: Sequence[Population]) -> Iterator[dict[str, Any]]:
    """Yield the subscribers that were refused most."""
    for subscriber, refused in seen.tally.hit.most_common(MOST_ROWS):
        of = populations[_class_of(subscriber, populations)].of
        yield {"name": str(ipaddress.IPv4Address(subscriber)), "class": of.name, "refused": refused}


def timers(seen: Watched, nat: NatSettings, resets: float) -> Iterator[dict[str, Any]]:
    """Yield the price of each timer: the ports that nobody can have because of it, on average (Little's law)."""
    per_s = {protocol: count / seen.seconds for protocol, count in seen.created.items()}
    tcp, udp = per_s[TCP], per_s[Protocol.UDP]
    timers = nat.tcp_timeouts
    fin, rst = (nat.hold_down(TCP, by) for by in (EndedBy.FIN, EndedBy.RST))
    idle_key = EndedBy.OTHER if nat.hold_down_by_end.get(EndedBy.IDLE) is None else EndedBy.IDLE
    rows = (
        ("tcp_trans_close_timeout", timers[TcpTimer.CLOSING], tcp * (1 - resets)),
        ("tcp_rst_timeout", timers[TcpTimer.RESET], tcp * resets),
        ("udp_timeout", nat.udp_timeout, udp),
        (idle_key.value, nat.hold_down(Protocol.UDP, EndedBy.IDLE), udp),
        *([(EndedBy.FIN.value, fin, tcp * (1 - resets))] if fin else []),
        *([(EndedBy.RST.value, rst, tcp * resets)] if rst else []),
        ("rest", nat.rest, tcp + udp),
    )
    for name, seconds, rate in rows:
        yield {"name": name, "seconds": seconds, "ports": round(rate * seconds, 1)}
