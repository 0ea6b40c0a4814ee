"""Whether the parts of a run fit together: question, network, gateway and what is chosen for single gateways.

Each function raises ConfigurationError with a sentence that names the value and the way out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from controller.settings import ConfigurationError, Settings
from controller.wiring import ETHERNET_MTU
from testbed.experiment.nats import fronts
from testbed.experiment.parameters import Parameters, PatientParameters
from testbed.experiment.scenario import Scenario
from testbed.registry import ours
from testbed.run.blame import shown
from topologies.base import Topology
from topologies.gateways.base import Gateway
from topologies.gateways.behaviour import Behaviour

VERDICT_S = 0.5
"""Seconds from the end of a hold to the end of its attempt, on a busy machine."""


def require_answers(
    gateway: str, kind: type[Gateway], parameters: Parameters, settings: Settings, behaviour: Behaviour
) -> None:
    """Raise ConfigurationError if packets of these parameters would find no answer from this gateway."""
    _require_room(gateway, kind, parameters, settings)
    _require_protocol(parameters, behaviour)
    if isinstance(parameters, PatientParameters):
        _require_patience(parameters, settings, behaviour)


def _require_room(gateway: str, kind: type[Gateway], parameters: Parameters, settings: Settings) -> None:
    """Raise ConfigurationError if a gateway would lose packets that its outside links have no room for."""
    if parameters.outside_mtu == ETHERNET_MTU:
        return
    if not kind.fits_packets:
        raise ConfigurationError(
            f"outside_mtu={parameters.outside_mtu} is not possible with this gateway: {gateway} neither sends "
            f"larger packets on in fragments nor tells their senders; take outside_mtu={ETHERNET_MTU}, or another "
            "--gateway"
        )
    if settings.untranslated_destinations:
        raise ConfigurationError(
            f"outside_mtu={parameters.outside_mtu} is not possible with untranslated_destinations: packets to "
            "them pass by rules, which neither fragment nor answer larger ones; take "
            f"outside_mtu={ETHERNET_MTU}, or no untranslated_destinations"
        )


def _require_protocol(parameters: Parameters, behaviour: Behaviour) -> None:
    """Raise ConfigurationError for a protocol of which a gateway declares nothing."""
    asked, known = getattr(parameters, "protocol", None), behaviour.protocols
    if asked is None or asked in known.value:
        return
    ways = [f"protocol={' or '.join(known.value)}"] * ("protocol" in type(parameters).model_fields)
    raise ConfigurationError(
        f"parameter protocol={asked} is not possible with this gateway: {known}; take "
        f"{' or '.join([*ways, 'another --gateway'])}"
    )


def _require_patience(parameters: PatientParameters, settings: Settings, behaviour: Behaviour) -> None:
    """Raise ConfigurationError if attempts would be given up before the NAT decides about them."""
    exhaustions = (behaviour.ports_exhausted.value, behaviour.state_exhausted.value)
    held = max((each.after for each in exhaustions if each.holds), default=0.0)
    if held and parameters.patience < held + VERDICT_S:
        raise ConfigurationError(
            f"hold_timeout={settings.hold_timeout:g} is not possible with patience={parameters.patience:g}: "
            f"a packet is held for {held:g} s, and its attempt would be given up before its refusal; take "
            f"patience={held + VERDICT_S:g} or more, or a shorter hold_timeout"
        )
    rests = max((each.after for each in exhaustions if each.evicts == "lru"), default=0.0)
    if rests and parameters.patience < rests + VERDICT_S:
        raise ConfigurationError(
            f"parameter patience={parameters.patience:g} is not possible with a NAT that evicts: a newcomer waits "
            f"{rests:g} s until its port has rested; take patience={rests + VERDICT_S:g} or more"
        )


def require_gateways(scenario: type[Scenario[Any]], topology: str, built: Topology) -> None:
    """Raise ConfigurationError if the network lacks a gateway that the question is about."""
    if lacking := [name for name in scenario.gateways if name not in built.wiring]:
        fitting = [name for name, each in ours("topology").items() if {*scenario.gateways} <= each().wiring.keys()]
        fitting = fitting or [scenario.topology]
        raise ConfigurationError(
            f"topology {topology!r} is not possible with {scenario.name}: it lacks the gateway"
            f"{'s' * (len(lacking) > 1)} {', '.join(lacking)}; take --topology {' or '.join(fitting)}"
        )


def require_one_outside(topology: str, reached: str, told: Collection[str]) -> None:
    """Raise ConfigurationError if a controller that runs already would have to be several NATs."""
    if reached and len(told) > 1:
        raise ConfigurationError(
            f"setting controller={reached}: topology {topology!r} has {len(told)} NATs, and a "
            "controller that runs already is connected to one switch; give the app itself, --set app=FILE.py, of "
            "which each NAT starts its own, or take another --topology"
        )


def require_one_device(gateway: str, topology: str, cables: Collection[str], told: Collection[str]) -> None:
    """Raise ConfigurationError if one device would have to be several NATs."""
    if cables and len(told) > 1:
        raise ConfigurationError(
            f"gateway {gateway} is not possible with topology {topology!r}: it has {len(told)} NATs, and this "
            "gateway is one device between two interfaces; take another --gateway"
        )


def require_may_differ(scenario: type[Scenario[Any]], topology: str, built: Topology) -> None:
    """Raise ConfigurationError if a question reckons with NATs that are all alike."""
    first, *others = built.wiring
    if scenario.nats_may_differ or (not scenario.gateways and set(others) <= set(fronts(built, first))):
        return
    raise ConfigurationError(
        f"a choice for one gateway is not possible with {scenario.name} and topology {topology!r}: the question "
        f"reckons with NATs that are alike; choose for all of them, or take hole-punching"
    )


def require_own_addresses(topology: str, name: str, own: dict[str, Any], built: Topology) -> None:
    """Raise ConfigurationError for external addresses of a gateway that has them from the network."""
    if "external_addresses" in own and name in built.external:
        raise ConfigurationError(
            f"setting {name}.external_addresses={shown(own['external_addresses'])} is not possible with topology "
            f"{topology!r}, in which {name} has {' and '.join(map(str, built.external[name]))}; leave it out"
        )


def require_unfixed(scenario: str, name: str, own: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Raise ConfigurationError for a setting that the scenario itself gives this gateway."""
    for key in own:
        if key in fixed:
            raise ConfigurationError(
                f"setting {name}.{key}={own[key]} is not possible with {scenario}, which sets it by itself to "
                f"{fixed[key]}; leave it out"
            )
