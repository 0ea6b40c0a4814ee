"""What each NAT of a network has to bear of a question, and whether the question reckons with such a network.

A question is about the NATs that it names, or about the one under test. Other NATs may be in front of that one,
between it and the clients, if they have room for all that comes. Beside it they would take clients away from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

from controller.settings import MARKS, Bites, ConfigurationError, Settings
from testbed.experiment.demand import MODEST, Demand
from testbed.experiment.limits import Load, bites
from testbed.experiment.parameters import Parameters
from testbed.experiment.requirements import of_ports
from testbed.experiment.scenario import Scenario
from topologies.base import Topology
from topologies.gateways.behaviour import Behaviour

OF_SUBSCRIBERS = frozenset({Bites.ALL, Bites.SUBSCRIBER, Bites.SUBSCRIBERS, Bites.RATE, Bites.BLOCKS})
"""What depends on who the subscribers are: for a NAT behind others, these are NATs."""


def require_bearable(
    scenario: type[Scenario[Any]],
    parameters: Parameters,
    network: str,
    topology: Topology,
    nats: Mapping[str, tuple[Settings, Behaviour]],
) -> None:
    """Raise ConfigurationError if a NAT has a limit or timer that could bite, and that is not reckoned with.

    `network` is the name of the topology. `nats` are the settings and behaviours of all NATs, the one under test
    first.
    """
    under_test, (settings, _) = next(iter(nats.items()))
    demand = scenario.demand(parameters, settings)
    patience = getattr(parameters, "patience", 0.0)
    reckoned = {*scenario.reckons_with, *_own(scenario, settings)}
    loads = {name: Load(demand, *each, patience) for name, each in nats.items()}
    in_front: list[str] = []
    if not scenario.gateways and len(nats) > 1:
        in_front = fronts(topology, under_test)
        beside = sorted({*nats} - {under_test, *in_front})
        if beside and not scenario.nats_beside and network != scenario.topology:
            raise ConfigurationError(
                f"topology {network} is not possible with {scenario.name}: clients behind {', '.join(beside)} "
                f"would not use the NAT that the question is about; take --topology {scenario.topology}"
            )
        if in_front:
            reckoned = {key for key in reckoned if MARKS[key] not in OF_SUBSCRIBERS}
            loads = _in_a_row(loads, topology, under_test, in_front)
    for load in loads.values():
        for refusal in bites(load, reckoned=reckoned):
            raise ConfigurationError(refusal.sentence(scenario.name))
    for name in in_front if demand is not MODEST else ():
        _require_room(scenario, name, loads[name], loads[under_test])


def _own(scenario: type[Scenario[Any]], settings: Settings) -> Collection[str]:
    """Return the limits that have the value that the scenario itself gave them, but for those of shares."""
    return {
        key
        for key, value in scenario.settings.items()
        if key in MARKS and MARKS[key] is not Bites.BLOCKS and _written(getattr(settings, key)) == _written(value)
    }


def _written(value: Any) -> Any:
    return [*map(str, value)] if isinstance(value, list) else value


def fronts(topology: Topology, under_test: str) -> list[str]:
    """Return the NATs whose uplinks lead to the one under test."""
    own = {interface.address.ip for interface in topology.wiring[under_test]}
    return [
        name
        for name, interfaces in topology.wiring.items()
        if own & {interface.next_hop for interface in interfaces if interface.next_hop}
    ]


def _in_a_row(
    loads: dict[str, Load], topology: Topology, under_test: str, fronts: Collection[str]
) -> dict[str, Load]:
    """Return the loads where other NATs are in front of the one under test, whose subscribers they are."""
    demand = loads[under_test].demand
    shares = {name: _shares(demand, topology, name) for name in loads}
    shares[under_test] = (*(sum(shares[name]) for name in fronts), *shares[under_test])
    return {
        name: dataclasses.replace(load, demand=dataclasses.replace(demand, shares=shares[name]))
        for name, load in loads.items()
    }


def _shares(demand: Demand, topology: Topology, gateway: str) -> tuple[int, ...]:
    """Return the shares of the subscribers behind a gateway. They are the clients in turn."""
    clients = topology.clients
    return tuple(
        share
        for place, share in enumerate(demand.shares)
        if topology.behind[clients[place % len(clients)]] == gateway
    )


def _require_room(scenario: type[Scenario[Any]], name: str, front: Load, tested: Load) -> None:
    """Raise ConfigurationError if a NAT in front could run out of ports, also by connections that were refused."""
    tried, all_tried = front.demand.attempts, tested.demand.attempts
    refused = max(tested.refused(protocol) for protocol in tested.demand.protocols)
    passing = tried + (front.demand.fills - 1) * math.ceil(refused * tried / max(1, all_tried))
    if passing > front.fits:
        why = f"up to {passing:,} connections would pass {name}, which has {front.fits:,} ports"
        way_out = f"--topology {scenario.topology}, or fewer attempts"
        raise ConfigurationError(of_ports(front.settings, why, way_out).sentence(scenario.name))
