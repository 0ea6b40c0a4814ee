"""Finding what a name stands for: one of ours, or a student's `FILE.py` or `FILE.py:Class`."""

from __future__ import annotations

from typing import Any

from controller.checking import ConfigurationError, unknown_key
from controller.extensions import is_file, own_class
from scenarios.base import Scenario
from scenarios.catalogue import SCENARIOS
from topologies import TOPOLOGIES
from topologies.base import LabTopology
from topologies.gateways import GATEWAYS
from topologies.gateways.base import Gateway

KINDS: dict[str, tuple[dict[str, Any], type]] = {
    "scenario": (SCENARIOS, Scenario),
    "topology": (TOPOLOGIES, LabTopology),
    "gateway": (GATEWAYS, Gateway),
}
"""What can be loaded: the registry of ours, and the class that every one extends."""


def load(kind: str, name: str) -> Any:
    """Return the class that `name` stands for. Raises ConfigurationError if there is none."""
    registry, base = KINDS[kind]
    if name in registry:
        return registry[name]
    if not is_file(name):
        raise ConfigurationError(f"{unknown_key(name, list(registry), kind=kind)} (or give FILE.py:Class)")
    return own_class(kind, name, fits=lambda cls: issubclass(cls, base), described=f"derived from {base.__name__}")
