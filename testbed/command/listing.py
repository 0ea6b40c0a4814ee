"""What there is to choose from: the rows of `lastport list`."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.settings import Settings
from controller.settings.profiles import EXPLAINED
from testbed.registry import SCENARIOS, load, ours

Row = dict[str, Any]

TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "true or false",
    "string": "name",
    "array": "number or list",
    "null": "null",
}
"""The types of a JSON schema in a user's words."""


def rows() -> dict[str, list[Row]]:
    """Return the rows of every list, by its name on the command line."""
    return {
        "scenarios": [_scenario(name) for name in SCENARIOS],
        "topologies": _described(ours("topology")),
        "gateways": _described(ours("gateway")),
        "allocators": _described(ALLOCATORS),
        "policies": _described(POLICIES),
        "profiles": [{"name": name, **dataclasses.asdict(profile)} for name, profile in EXPLAINED.items()],
        "settings": fields(Settings),
        "benches": [
            {"name": name, "description": bench.question(), "parameters": fields(bench.Parameters)}
            for name, bench in ours("bench").items()
        ],
    }


def fields(model: type[BaseModel]) -> list[Row]:
    """Return a row for each field of a model: its type, unit, default, allowed values, source and description."""
    properties = model.model_json_schema()["properties"]
    return [_field(name, properties[name]) for name in model.model_fields]


def _field(name: str, schema: dict[str, Any]) -> Row:
    options = schema.get("anyOf", [schema])
    return {
        "name": name,
        "type": " or ".join(TYPES[option["type"]] for option in options),
        "unit": schema.get("unit"),
        "default": schema.get("default"),
        "allowed": schema.get("allowed") or schema.get("enum") or _range(options[0]),
        "source": schema.get("source"),
        "description": schema.get("description"),
    }


def _range(schema: dict[str, Any]) -> str | None:
    """Return the bounds of a number in words, if it has any."""
    least, above, most = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if least is not None:
        return f"{least:,} and up" if most is None else f"{least:,} to {most:,}"
    return None if above is None else f"more than {above:,}, up to {most:,}"


def _scenario(name: str) -> Row:
    scenario = load("scenario", name)
    return {
        "name": name,
        "description": scenario.question(),
        "claim": scenario.claim,
        "parameters": fields(scenario.Parameters),
        "settings": scenario.settings,
        "requires": [requirement.text for requirement in scenario.requires],
    }


def _described(registry: dict[str, Any]) -> list[Row]:
    return [
        {"name": name, "description": (cls.__doc__ or "").strip().splitlines()[0]}
        for name, cls in registry.items()
    ]
