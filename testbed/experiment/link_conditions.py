"""The conditions that a run's parameters ask of each side's links, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.settings import ConfigurationError
from testbed.experiment import units
from topologies.network.conditions import AS_EVER, Conditions

SIDES = ("inside", "outside")


def conditions_of(parameters: Mapping[str, Any], side: str) -> Conditions:
    """Return the conditions of one side's links, by the parameters of a run."""
    rate = parameters[f"{side}_rate"]
    return Conditions(
        delay=units.seconds(parameters[f"{side}_delay"]),
        jitter=units.seconds(parameters[f"{side}_jitter"]),
        loss=units.share(parameters[f"{side}_loss"]),
        reordering=units.share(parameters[f"{side}_reordering"]),
        rate=None if rate is None else units.bits(rate),
    )


def are_any(parameters: Mapping[str, Any]) -> bool:
    """Return whether any link of a run is under conditions."""
    return any(conditions_of(parameters, side) != AS_EVER for side in SIDES)


def require_possible(parameters: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for conditions that contradict each other."""
    for side in SIDES:
        asked, delay = conditions_of(parameters, side), f"{side}_delay={parameters[f'{side}_delay']}"
        for key, is_wrong, why in (
            ("jitter", asked.jitter > asked.delay, f"it is more than {delay}, and no frame arrives early"),
            ("reordering", asked.reordering and not asked.delay, f"a frame overtakes those that wait for {delay}"),
        ):
            if is_wrong:
                value = parameters[f"{side}_{key}"]
                way_out = f"take a longer {side}_delay, or no {side}_{key}"
                raise ConfigurationError(f"parameter {side}_{key}={value} is not possible: {why}; {way_out}")
