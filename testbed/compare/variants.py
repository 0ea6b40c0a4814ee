"""What a kind of NAT can be: the mapping and filtering behaviours that it declares, and the settings for each.

Mapping and filtering are tried with every value that the kind does not refuse. Where its mapping is not for a
setting to choose, it may follow from how ports are allocated, as it does in Linux.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from controller.settings import ConfigurationError, Settings
from testbed.registry import load
from topologies.gateways.base import Gateway

MAPPING, FILTERING, ALLOCATION = "mapping_type", "filtering_type", "port_allocation_type"


@dataclass(frozen=True, slots=True)
class Variant:
    """A NAT of one kind, by how it declares to map and filter, and the settings that are chosen for it."""

    mapping: str
    filtering: str
    chosen: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The two behaviours in short, such as `eim/adf`."""
        return f"{self.mapping}/{self.filtering}"


def variants(gateway: str) -> list[Variant]:
    """Return what a kind of NAT can be. Raises ConfigurationError if there is no such kind."""
    kind: type[Gateway] = load("gateway", gateway)
    found: dict[str, Variant] = {}
    for chosen in _choices(kind):
        try:
            settings, options = Settings.model_validate({**kind.settings, **chosen}), kind.Options()
            kind.check(settings, options)
            declared = kind.declare(settings, options)
        except ConfigurationError:
            continue
        variant = Variant(declared.mapping.value, declared.filtering.value, chosen)
        found.setdefault(variant.name, variant)
    return [*found.values()]


def _choices(kind: type[Gateway]) -> Iterator[dict[str, Any]]:
    """Yield the values to choose: those of the keys that leave a choice."""
    restricted = {each.key: each.allowed for each in kind.restrictions}
    free = {
        key: restricted.get(key, get_args(Settings.model_fields[key].annotation)) for key in (MAPPING, FILTERING)
    }
    if len(free[MAPPING]) == 1:
        free[ALLOCATION] = restricted.get(ALLOCATION, ())
    free = {key: values for key, values in free.items() if len(values) > 1}
    for values in itertools.product(*free.values()):
        yield dict(zip(free, values, strict=True))
