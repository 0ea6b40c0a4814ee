"""What can be chosen by name, and where it is: `package.module:Class`, or a student's `FILE.py:Class`.

Names above this folder stand here as strings: a run imports what it needs, and ours are loaded as a student's
are. To add one of ours: one file, and one line here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError, unknown_key
from controller.settings.extensions import is_file, own_class

SCENARIOS = {
    "port-exhaustion": "scenarios.port_exhaustion:PortExhaustion",
    "port-overlap": "scenarios.port_overlap:PortOverlap",
    "state-exhaustion": "scenarios.state_exhaustion:StateExhaustion",
    "switch-table-full": "scenarios.switch_table_full:SwitchTableFull",
    "eviction": "scenarios.eviction:Eviction",
    "refusal-signals": "scenarios.refusal_signals:RefusalSignals",
    "hold-and-retry": "scenarios.hold_and_retry:HoldAndRetry",
    "release": "scenarios.release:Release",
    "churn": "scenarios.churn:Churn",
    "client-exhaustion": "scenarios.client_exhaustion:ClientExhaustion",
    "loss-curve": "scenarios.loss_curve:LossCurve",
    "fairness": "scenarios.fairness:Fairness",
    "protocols": "scenarios.protocols:Protocols",
    "address-pool": "scenarios.address_pool:AddressPool",
    "two-nats": "scenarios.two_nats:TwoNats",
    "hole-punching": "scenarios.hole_punching:HolePunching",
}
"""By the names that `lastport run` takes."""
TOPOLOGIES = {
    "home": "topologies.home:Home",
    "two-homes": "topologies.two_homes:TwoHomes",
    "carrier": "topologies.carrier:Carrier",
    "campus": "topologies.campus:Campus",
    "multi-address": "topologies.multi_address:MultiAddress",
}
"""By the names of the option `--topology`."""
GATEWAYS = {
    "openflow": "topologies.gateways.openflow.gateway:OpenFlowGateway",
    "ovs-ct": "topologies.gateways.ovs_ct.gateway:OvsCtGateway",
    "netfilter": "topologies.gateways.netfilter.gateway:NetfilterGateway",
}
"""By the names of the option `--gateway`."""
BENCHES = {
    "setup": "benchmarks.setup_rate:Setup",
    "evict": "benchmarks.eviction_rate:Evict",
    "controller": "benchmarks.controller_rate:Controller",
    "forward": "benchmarks.forwarding:Forward",
    "release": "benchmarks.release_time:Release",
    "memory": "benchmarks.memory:Memory",
    "start": "benchmarks.start_time:Start",
    "rfc9693": "benchmarks.rfc9693:Rfc9693",
}
"""By the names that `lastport bench` takes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that can be chosen: ours by their names, and the class that each derives from."""

    ours: dict[str, str]
    base: str


KINDS = {
    "scenario": Kind(SCENARIOS, "testbed.experiment.scenario:Scenario"),
    "topology": Kind(TOPOLOGIES, "topologies.base:LabTopology"),
    "gateway": Kind(GATEWAYS, "topologies.gateways.base:Gateway"),
    "bench": Kind(BENCHES, "testbed.bench.bench:Bench"),
}


def load(kind: str, name: str) -> Any:
    """Return the class that `name` stands for. Raises ConfigurationError if there is none."""
    ours, base = KINDS[kind].ours, found(KINDS[kind].base)
    if name in ours:
        return found(ours[name])
    if not is_file(name):
        raise ConfigurationError(f"{unknown_key(name, list(ours), kind=kind)} (or give FILE.py:Class)")
    return own_class(kind, name, fits=lambda cls: issubclass(cls, base), described=f"derived from {base.__name__}")


def ours(kind: str) -> dict[str, Any]:
    """Return all of ours of a kind, by their names: for lists, since a run needs only one."""
    return {name: found(place) for name, place in KINDS[kind].ours.items()}


def found(place: str) -> Any:
    """Return what stands at `package.module:Class`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
