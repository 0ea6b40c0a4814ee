"""Every pair of NATs on the two sides of a question, such as hole punching: which runs are to be carried out.

A pair is a run of its own, in a lab of its own. Everything is decided before the first of them starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.compare.comparison import Planned, plan, require_sense
from testbed.compare.variants import Variant, variants
from testbed.experiment.scenario import Scenario
from testbed.registry import load
from testbed.run.choices import Choices
from testbed.run.given import values_given
from testbed.run.naming import in_file_names, label
from testbed.run.sides import DOT, Sides
from testbed.run.strangers import are_met, declared, files_among


@dataclass(frozen=True, slots=True)
class Side:
    """One side: the gateway's name in the network, the kind of NAT that it is, and what that can be."""

    gateway: str
    kind: str
    variants: Sequence[Variant]

    def as_json(self) -> dict[str, Any]:
        """Return the side as the results have it."""
        return {"gateway": self.gateway, "kind": self.kind, "behaviours": [each.name for each in self.variants]}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two behaviours, one for each side, and the run about them."""

    behaviours: tuple[str, str]
    planned: Planned

    @property
    def folder(self) -> Path:
        """The place of its results: a folder for the first side's behaviour, and in it one for the second's."""
        return Path(*(in_file_names(each.replace("/", "-")) for each in self.behaviours))


def sides(scenario: str, kinds: Sequence[str]) -> list[Side]:
    """Return the two sides of a scenario, with one kind for both or one for each. Raises ConfigurationError."""
    files = files_among([scenario, *kinds])
    if not are_met(files):
        return _sides(scenario, kinds)
    told = declared(files, lambda: [asdict(each) for each in _sides(scenario, kinds)], about=scenario)
    return [Side(**{**each, "variants": [Variant(**own) for own in each["variants"]]}) for each in told]


def _sides(scenario: str, kinds: Sequence[str]) -> list[Side]:
    """Return the two sides, in a process that may import what is chosen."""
    cls: type[Scenario[Any]] = load("scenario", scenario)
    if not cls.nats_may_differ or len(cls.gateways) != 2:
        raise ConfigurationError(
            f"--pairs is not possible with {label(scenario)}: it is not about two NATs that may differ; take "
            "hole-punching, or leave out --pairs"
        )
    if len(kinds) > 2:
        raise ConfigurationError(
            f"--gateways {','.join(kinds)} has {len(kinds)} names: with --pairs, one is for both sides, and two "
            f"are for {' and '.join(cls.gateways)}"
        )
    of_each = (kinds[0], kinds[-1])
    Sides(dict(zip(cls.gateways, of_each, strict=True)), {}).require_ours(kinds[0])
    found = [Side(gateway, kind, variants(kind)) for gateway, kind in zip(cls.gateways, of_each, strict=True)]
    for side in found:
        if not side.variants:
            raise ConfigurationError(
                f"--gateways {side.kind} is not possible with --pairs: it declares no behaviour; choose another"
            )
    return found


def plans(choices: Choices, scenario: str, both: Sequence[Side]) -> list[Pair]:
    """Decide about the run of every pair. Raises ConfigurationError for a mistake of the user."""
    _require_free(choices, both)
    kinds = {side.gateway: side.kind for side in both}
    pairs = []
    for chosen in itertools.product(*(side.variants for side in both)):
        own = [
            f"{side.gateway}{DOT}{key}={value}"
            for side, variant in zip(both, chosen, strict=True)
            for key, value in variant.chosen.items()
        ]
        of_pair = replace(choices, sets=[*choices.sets, *own], kinds=kinds)
        first, second = chosen
        pairs.append(Pair((first.name, second.name), plan(of_pair, scenario, both[0].kind, set())))
    require_sense([each.planned for each in pairs])
    if all(each.planned.run is None for each in pairs):
        raise ConfigurationError(pairs[0].planned.reason)
    return pairs


def _require_free(choices: Choices, both: Sequence[Side]) -> None:
    """Raise ConfigurationError if the user sets what differs from pair to pair."""
    given = values_given(choices)
    for side in both:
        varied = {key: None for variant in side.variants for key in variant.chosen}
        for name in (name for key in varied for name in (key, f"{side.gateway}{DOT}{key}")):
            if name in given:
                raise ConfigurationError(
                    f"setting {name}={given[name]} is not possible with --pairs, which tries every value of it; "
                    "leave it out"
                )
