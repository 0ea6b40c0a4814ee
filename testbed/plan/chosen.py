"""What a plan is about: the settings of the NAT, the parameters, the seed, and which keys were given."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Mapping
from typing import Any

from controller.nat.settings import NatSettings
from controller.settings import PROFILES, ConfigurationError, Settings, checked, unknown_key
from testbed.plan.parameters import PlanParameters


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """Settings, parameters, the seed, and the keys that the user or the profile gave."""

    settings: Settings
    parameters: PlanParameters
    seed: int
    given: Collection[str]

    def drawn(self, purpose: str) -> random.Random:
        """Return the generator of a purpose. That of the arrivals is the same for any NAT."""
        return random.Random(f"{self.seed} {purpose}")

    def nat(self) -> NatSettings:
        """Return the settings of the core. A freed port rests as in a lab, unless `rest` was given."""
        nat = self.settings.for_nat()
        rest = self.parameters.rest
        return nat if rest is None else dataclasses.replace(nat, rest=rest)

    def but(self, **settings: Any) -> Chosen:
        """Return the same plan with other settings."""
        values = {**self.settings.model_dump(mode="json"), **settings}
        return dataclasses.replace(self, settings=Settings.model_validate(values))

    def as_json(self, **derived: Any) -> dict[str, Any]:
        """Return what results have of it; `derived` are values that follow from the parameters."""
        return {
            "schema": 1,
            "parameters": {**self.parameters.model_dump(mode="json"), **derived},
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
        }


def chosen_from(given: Mapping[str, Any], profile: str, seed: int) -> Chosen:
    """Return what was chosen, checked. Raises ConfigurationError."""
    if profile not in PROFILES:
        raise ConfigurationError(unknown_key(profile, list(PROFILES), kind="profile"))
    settings, parameters = parted(given)
    known = [*Settings.model_fields, *PlanParameters.model_fields]
    for key in settings:
        if key not in known:
            raise ConfigurationError(unknown_key(key, known, kind="setting"))
    values = {**PROFILES[profile], **settings}
    chosen = Chosen(
        checked(Settings, values, kind="setting"),
        checked(PlanParameters, parameters, kind="parameter"),
        seed,
        {*values, *parameters},
    )
    if chosen.parameters.light + chosen.parameters.heavy > 1:
        raise ConfigurationError(
            f"parameter light={chosen.parameters.light:g} is not possible with heavy={chosen.parameters.heavy:g}: "
            "they are shares of the subscribers; take two that are 1 at most in sum"
        )
    return chosen


def parted(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return those of the keys that are the NAT's settings, and the plan's parameters."""
    parameters = {key: value for key, value in given.items() if key in PlanParameters.model_fields}
    return {key: value for key, value in given.items() if key not in parameters}, parameters
