"""The plan of plain calls, `--erlangs`: a NAT beside the formulas of telephone engineers.

The simulation goes on until the share of refused attempts is known well enough. What is kept after a connection,
the closing timer and the port's rest, is 0 unless it was given.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from controller.process.garbage import collect_seldom
from controller.settings import ConfigurationError, Settings
from testbed.plan.chosen import Chosen
from testbed.plan.differences import differences
from testbed.plan.interval import BatchMeans
from testbed.plan.poisson import Calls, kept_after
from testbed.plan.simulation import Simulation
from testbed.plan.tally import Tally
from testbed.plan.theory import Model, Offered, models, of_sources

HALF = 0.002
"""With `--erlangs` a simulation ends when half of the 95 % interval is at most this."""
WARM_UP_HOLDINGS = 6
"""The holding times before anything is counted: an empty NAT is e^-6 from its mean by then."""
BATCH_HOLDINGS = 1
LEAST_BATCH = 250
LEAST_OFFERED = 100_000
"""The attempts that are counted at least, so that rare refusals are seen."""


def of_calls(chosen: Chosen, erlangs: float, *, half: float = HALF, least: int = LEAST_OFFERED) -> dict[str, Any]:
    """Return the results of a plain Poisson load, simulated until its refused share is known well enough."""
    collect_seldom()
    nat, calls = calls_of(chosen, erlangs)
    tally = Tally(1, 1)
    simulation = Simulation(nat, chosen.drawn("nat"), tally, tick=0, one_at_a_time=calls.sources is not None)
    arrivals = calls.arrivals(chosen.drawn("arrivals"))
    batch = max(LEAST_BATCH, int(BATCH_HOLDINGS * calls.holding * calls.rate))
    began = time.process_time()
    simulation.feed(itertools.islice(arrivals, int(WARM_UP_HOLDINGS * calls.holding * calls.rate)))
    means = BatchMeans(math.sqrt(nat.capacity))
    while means.offered < least or not means.is_within(half):
        simulation.tally = counted = Tally(1, 1)
        simulation.feed(itertools.islice(arrivals, batch))
        means.add(counted.offered, counted.refused)
        tally.limits += counted.limits
    theory = list(_of_calls(calls, chosen.settings, nat))
    return {
        **chosen.as_json(erlangs=erlangs, holding_s=calls.holding, rate=calls.rate),
        "workload": "erlangs",
        "offered": means.offered,
        "refused": means.refused,
        "refused_share": means.share,
        "interval": list(means.interval),
        "erlang_b": next((each.refused_share for each in theory if each.name.startswith("Erlang B")), None),
        "theory": [each.as_json() for each in theory],
        "differences": list(differences(chosen.settings, bursts=False, overlap_helps=False)),
        "limits": {limit.value: count for limit, count in tally.limits.most_common()},
        "classes": [_row("calls", means)],
        "destinations": [_row("198.51.100.1:443", means)],
        "duration_s": round(time.process_time() - began, 3),
    }


def _row(name: str, means: BatchMeans) -> dict[str, Any]:
    return {"name": name, "offered": means.offered, "refused": means.refused, "refused_share": means.share}


def calls_of(chosen: Chosen, erlangs: float) -> tuple[NatSettings, Calls]:
    """Return the NAT's settings and the load. Raises ConfigurationError if there can be no such load."""
    parameters, nat = chosen.parameters, chosen.nat()
    timers = dict(nat.tcp_timeouts)
    if TcpTimer.CLOSING.value not in chosen.given:
        timers[TcpTimer.CLOSING] = 0.0
    nat = dataclasses.replace(nat, rest=parameters.rest or 0.0, tcp_timeouts=timers)
    sources = parameters.sources
    if sources is not None and erlangs >= sources:
        raise ConfigurationError(
            f"parameter sources={sources} is not possible with --erlangs {erlangs:g}: each source has one "
            "connection at most, so that they offer less than their number; take more sources, or fewer erlangs"
        )
    hosts = parameters.subscribers if "subscribers" in chosen.given else 64
    return nat, Calls(erlangs, parameters.mean_life, kept_after(nat), hosts, sources)


def _of_calls(calls: Calls, settings: Settings, nat: NatSettings) -> Iterator[Model]:
    """Yield what formulas say. To one destination, overlapping ports are one pool."""
    if calls.sources is not None:
        yield of_sources(calls.erlangs, nat.capacity, calls.sources)
    load = Offered("tcp", calls.erlangs / calls.holding, calls.holding, 1.0)
    if settings.address_allocation_type == "paired":  # fewer hosts than addresses leave some of these unused
        pools = min(len(nat.external_addresses), calls.sources or calls.subscribers)
        yield from models([load], nat.capacity_of_address, pools, overlap=False)
    else:
        yield from models([load], nat.capacity, 1, overlap=False)
