"""What there is to choose from: the rows of `lastport list`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from controller.configuration import PROFILES, Settings
from controller.nat.allocators import ALLOCATORS
from controller.nat.exhaustion import POLICIES
from scenarios.catalogue import SCENARIOS
from topologies import TOPOLOGIES
from topologies.gateways import GATEWAYS

Row = dict[str, Any]


def rows() -> dict[str, list[Row]]:
    """Return every list, by its name on the command line."""
    return {
        "scenarios": [_scenario(name) for name in SCENARIOS],
        "topologies": _described(TOPOLOGIES),
        "gateways": _described(GATEWAYS),
        "allocators": _described(ALLOCATORS),
        "policies": _described(POLICIES),
        "profiles": [{"name": name, "settings": settings} for name, settings in PROFILES.items()],
        "settings": fields(Settings),
    }


def fields(model: type[BaseModel]) -> list[Row]:
    """Describe each field of a model: type, unit, default, source."""
    properties = model.model_json_schema()["properties"]
    return [_field(name, properties[name]) for name in model.model_fields]


def _field(name: str, schema: dict[str, Any]) -> Row:
    default = schema.get("default")
    kinds = {"number": "number", "integer": "integer", "string": "name", "array": "number or list"}
    options = schema.get("anyOf", [schema])
    return {
        "name": name,
        "type": kinds.get(options[0].get("type", "string"), "name"),
        "unit": schema.get("unit") or options[0].get("unit"),
        "default": default,
        "allowed": schema.get("allowed") or schema.get("enum"),
        "source": schema.get("source"),
        "description": schema.get("description"),
    }


def _scenario(name: str) -> Row:
    scenario = SCENARIOS[name]
    return {
        "name": name,
        "description": scenario.question(),
        "claim": scenario.claim,
        "parameters": fields(scenario.Parameters),
        "settings": scenario.settings,
    }


def _described(registry: dict[str, Any]) -> list[Row]:
    return [
        {"name": name, "description": (cls.__doc__ or "").strip().splitlines()[0]}
        for name, cls in registry.items()
    ]
