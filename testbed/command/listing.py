"""What there is to choose from: the rows of `lastport list`, and how their values are written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.settings import Settings
from controller.settings.profiles import EXPLAINED
from testbed.command.names import LABS, NAMES
from testbed.registry import ours

Row = dict[str, Any]

TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "true or false",
    "string": "name",
    "array": "number or list",
    "object": "keys and values",
    "null": "null",
}
"""The types of a JSON schema in a user's words."""
DERIVED = "from the settings"
"""What stands for a default that a scenario makes from the settings."""


def _settings() -> list[Row]:
    return fields(Settings)


def _profiles() -> list[Row]:
    return [
        {"name": name, **dataclasses.asdict(profile), "assumed": profile.assumed}
        for name, profile in EXPLAINED.items()
    ]


def _scenarios() -> list[Row]:
    return [
        {
            "name": name,
            "description": scenario.question(),
            "claim": scenario.claim,
            "parameters": fields(scenario.Parameters),
            "settings": scenario.settings,
            "requires": [requirement.text for requirement in scenario.requires],
        }
        for name, scenario in ours("scenario").items()
    ]


def _gateways() -> list[Row]:
    return [
        {"name": name, "description": first_line(gateway), "settings": fields(gateway.Options)}
        for name, gateway in ours("gateway").items()
    ]


def _benches() -> list[Row]:
    return [
        {"name": name, "description": bench.question(), "parameters": fields(bench.Parameters)}
        for name, bench in ours("bench").items()
    ]


def _labs() -> list[Row]:
    paths = [LABS / f"{name}.md" for name in NAMES["labs"]()]
    return [
        {
            "name": path.stem,
            "description": path.read_text().partition("\n")[0].lstrip("# "),
            "file": f"docs/labs/{path.name}",
        }
        for path in paths
    ]


def _described(registry: dict[str, Any]) -> list[Row]:
    return [{"name": name, "description": first_line(cls)} for name, cls in registry.items()]


ROWS: dict[str, Callable[[], list[Row]]] = {
    "scenarios": _scenarios,
    "topologies": lambda: _described(ours("topology")),
    "gateways": _gateways,
    "allocators": lambda: _described(ALLOCATORS),
    "policies": lambda: _described(POLICIES),
    "profiles": _profiles,
    "settings": _settings,
    "benches": _benches,
    "labs": _labs,
}
"""For each list, by its name on the command line, a function that returns its rows."""


def fields(model: type[BaseModel]) -> list[Row]:
    """Return a row for each field of a model: its type, unit, default, allowed values, source and description."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
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


def first_line(documented: Any) -> str:
    """Return the first line of a docstring."""
    return (documented.__doc__ or "").strip().partition("\n")[0]


def written(value: object) -> str:
    """Write a value as a user types it after `--set KEY=`."""
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")


def default_of(field: Row) -> str:
    """Write the default of a field; one that is no value of its type is made from the settings before a run."""
    is_derived = field["default"] is None and "null" not in field["type"]
    return DERIVED if is_derived else written(field["default"])


def allowed(field: Row) -> str:
    """Write what a field may be, or an empty text if that is any value of its type."""
    may_be = field["allowed"] or (field["type"] if field["type"] == TYPES["boolean"] else "")
    return ", ".join(map(str, may_be)) if isinstance(may_be, list) else may_be


def with_unit(field: Row) -> str:
    """Write the default of a field with its unit, if it has both."""
    is_number = isinstance(field["default"], int | float) and not isinstance(field["default"], bool)
    unit = field["unit"] if is_number and field["unit"] != "1" else None
    return f"{default_of(field)} {unit}" if unit else default_of(field)
