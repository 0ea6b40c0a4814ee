"""The names of all that can be chosen, and the place of each: `package.module:Class`, or a user's `FILE.py:Class`.

The places are strings, so that a run imports only what it needs, and completion in a shell nothing at all. The
registered classes are loaded in the same way as a user's own. To register one, write its file, and add one line
here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

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
    "client-rate": "scenarios.client_rate:ClientRate",
    "loss-curve": "scenarios.loss_curve:LossCurve",
    "fairness": "scenarios.fairness:Fairness",
    "protocols": "scenarios.protocols:Protocols",
    "address-pool": "scenarios.address_pool:AddressPool",
    "two-nats": "scenarios.two_nats:TwoNats",
    "hole-punching": "scenarios.hole_punching:HolePunching",
    "own-ports": "scenarios.own_ports:OwnPorts",
    "idle": "scenarios.idle:Idle",
    "reuse": "scenarios.reuse:Reuse",
    "race": "scenarios.race:Race",
    "recovery": "scenarios.recovery:Recovery",
    "path-mtu": "scenarios.path_mtu:PathMtu",
    "fragments": "scenarios.fragments:Fragments",
}
"""The place of each scenario, by the names that `lastport run` takes."""
COMMANDS = {
    "shell": "testbed.shell.scenario:Shell",
    "exec": "testbed.experiment.commanded:Exec",
    "plan": "testbed.replay.replay:Replay",
    "plan-subscribers": "testbed.replay.subscribers:ReplaySubscribers",
    "plan-trace": "testbed.replay.trace:ReplayTrace",
}
"""The place of what a command asks in place of a scenario. No list has it, and `run` does not take it."""
PROMPT = "testbed.shell.session:Session"
"""The place of the prompt, which opens where a scenario pauses."""
TOPOLOGIES = {
    "home": "topologies.home:Home",
    "two-homes": "topologies.two_homes:TwoHomes",
    "carrier": "topologies.carrier:Carrier",
    "campus": "topologies.campus:Campus",
    "multi-address": "topologies.multi_address:MultiAddress",
    "edge": "topologies.edge:Edge",
}
"""The place of each topology, by the names that `--topology` takes."""
GATEWAYS = {
    "openflow": "topologies.gateways.openflow.gateway:OpenFlowGateway",
    "ovs-ct": "topologies.gateways.ovs_ct.gateway:OvsCtGateway",
    "netfilter": "topologies.gateways.netfilter.gateway:NetfilterGateway",
}
"""The place of each gateway that is complete by itself, by the names that `--gateway` takes."""
FOREIGN = {
    "app": "topologies.gateways.app.gateway:AppGateway",
    "program": "topologies.gateways.program.gateway:ProgramGateway",
    "slirp": "topologies.gateways.slirp.gateway:SlirpGateway",
    "passt": "topologies.gateways.passt.gateway:PasstGateway",
    "box": "topologies.gateways.box.gateway:BoxGateway",
}
"""The place of each gateway that is somebody else's program, and has to be told whose, or to be installed first.
`compare` has it if asked."""
BENCHES = {
    "setup": "benchmarks.setup_rate:Setup",
    "evict": "benchmarks.eviction_rate:Evict",
    "controller": "benchmarks.controller_rate:Controller",
    "forward": "benchmarks.forwarding:Forward",
    "watch": "benchmarks.watching:Watch",
    "release": "benchmarks.release_time:Release",
    "memory": "benchmarks.memory:Memory",
    "start": "benchmarks.start_time:Start",
    "rfc9693": "benchmarks.rfc9693:Rfc9693",
}
"""The place of each bench, by the names that `lastport bench` takes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that can be chosen: its registered places, and the class that each derives from.

    `importing` is the line by which a user's file imports that class.
    """

    ours: dict[str, str]
    base: str
    importing: str
    also: str | None = None
    """Another class that a user's class must derive from, if there is one."""


KINDS = {
    "scenario": Kind(SCENARIOS, "testbed.experiment.scenario:Scenario", "from testbed.api import Scenario"),
    "topology": Kind(TOPOLOGIES, "topologies.base:Topology", "from testbed.api import Topology"),
    "gateway": Kind(
        {**GATEWAYS, **FOREIGN},
        "topologies.gateways.base:Gateway",
        "from testbed.api import Gateway",
        also="mininet.node:Switch",
    ),
    "bench": Kind(BENCHES, "testbed.bench.bench:Bench", "from testbed.bench.bench import Bench"),
}


def load(kind: str, name: str) -> Any:
    """Return the class that `name` stands for. Raises ConfigurationError if there is no complete one."""
    from controller.settings import ConfigurationError, unknown_key
    from controller.settings.extensions import is_file, own_class

    chosen = KINDS[kind]
    if name in chosen.ours:
        return found(chosen.ours[name])
    if kind == "scenario" and name in COMMANDS:
        return found(COMMANDS[name])
    if not is_file(name):
        raise ConfigurationError(f"{unknown_key(name, list(chosen.ours), kind=kind)} (or give FILE.py:Class)")
    try:
        cls = own_class(kind, name, found(chosen.base), importing=chosen.importing)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}{_another_kind(kind, name)}") from None
    if chosen.also is not None and not issubclass(cls, found(chosen.also)):
        module, _, other = chosen.also.partition(":")
        bases = ", ".join([other, *(base.__name__ for base in cls.__bases__)])
        raise ConfigurationError(
            f"{kind} {name!r}: class {cls.__name__} is not yet one; write "
            f"class {cls.__name__}({bases}), with `from {module} import {other}`"
        )
    return cls


def _another_kind(kind: str, name: str) -> str:
    """Return the words for a file that has a class of another kind, if it has one."""
    from controller.settings import ConfigurationError
    from controller.settings.extensions import own_class

    for other in ("scenario", "topology", "gateway"):
        if other != kind:
            try:
                own_class(other, name, found(KINDS[other].base), importing=KINDS[other].importing)
            except ConfigurationError:
                continue
            option = "as the first argument" if other == "scenario" else f"by --{other}"
            return f". It is a {other}: give it {option}"
    return ""


def ours(kind: str) -> dict[str, Any]:
    """Return all registered classes of a kind by their names. It is for lists: a run needs one class only."""
    return {name: found(place) for name, place in KINDS[kind].ours.items()}


def found(place: str) -> Any:
    """Return the class at a place, `package.module:Class`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
