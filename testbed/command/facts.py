"""The facts of each kind of thing, as `lastport show NAME --json` prints them.

A fact is a text, a list of texts, or a list of rows. A row has a name, and a value and a description as far as
there are any.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.nat.strategies.allocators import ALLOCATORS, Allocator
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.exhaustion.policy import Policy
from controller.nat.strategies.pooling import POOLINGS
from controller.settings import Settings
from controller.settings.extensions import own_class, tried
from controller.settings.profiles import CLOUDS, EXPLAINED
from controller.settings.strategies import GET_ALLOCATOR, GET_POLICY
from testbed.command.listing import ROWS, fields, first_line, written
from testbed.command.uses import GATEWAY, SCENARIO, able, any_of, declared, example, followers, impossible, setters
from testbed.experiment.parameters import LinkParameters
from testbed.registry import KINDS, load, ours

Facts = dict[str, Any]
Row = dict[str, Any]

QUICKLY = " --set ports=2048 --set clients=2 --set time_scale=0.02"
"""With these, a scenario has room for the ports that clouds reserve, and does not wait for their timers."""
ROOT = Path(__file__).resolve().parents[2]
CHOICES: dict[str, Mapping[str, Any]] = {
    "port_allocation_type": ALLOCATORS,
    "address_allocation_type": POOLINGS,
    "on_exhaustion": POLICIES,
}
"""The classes that the values of three settings stand for."""


def _scenario(name: str) -> Facts:
    cls = load("scenario", name)
    return {
        "kind": "scenario",
        "name": name,
        "description": cls.question(),
        "text": _text(cls),
        "claim": cls.claim,
        "topology": cls.topology,
        "parameters": [row for row in fields(cls.Parameters) if row["name"] not in LinkParameters.model_fields],
        "links": [*LinkParameters.model_fields],
        "settings": _values(cls.settings),
        "requires": [requirement.text for requirement in cls.requires],
        "reckons_with": [*cls.reckons_with],
        "gateways": [able(name, gateway) for gateway in KINDS["gateway"].ours],
        "file": _file(cls),
        "example": f"run {name}",
    }


def _topology(name: str) -> Facts:
    cls = load("topology", name)
    return {
        "kind": "topology",
        "name": name,
        "description": first_line(cls),
        "text": _text(cls),
        "nats": list(tried(f"topology {name!r}", cls).wiring),
        "clients": str(cls.default_clients),
        "settings": _values(cls.settings),
        "scenarios": [each for each, scenario in ours("scenario").items() if scenario.topology == name],
        "file": _file(cls),
        "example": f"run {SCENARIO} --topology {name}",
    }


def _gateway(name: str) -> Facts:
    cls = load("gateway", name)
    defaults = Settings.model_validate(cls.settings)
    followed = Settings.model_fields if cls.followed is None else cls.followed
    restricted = {restriction.key for restriction in cls.restrictions}
    return {
        "kind": "gateway",
        "name": name,
        "description": first_line(cls),
        "text": _text(cls),
        "options": fields(cls.Options),
        "settings": _values(cls.settings),
        "restrictions": [
            {"name": each.key, "value": any_of(each.allowed), "description": each.reason}
            for each in cls.restrictions
        ],
        "not_followed": [
            key for key in Settings.model_fields if key not in {*followed, *restricted, *cls.promises}
        ],
        "promises": list(cls.promises),
        "needs": list(cls.needs),
        "declares": declared(tried(f"gateway {name!r}: declare", cls.declare, defaults, cls.Options())),
        "cannot": [
            {"name": scenario, "description": reason}
            for scenario in KINDS["scenario"].ours
            if (reason := impossible(scenario, name))
        ],
        "file": _file(cls),
        "example": " ".join(filter(None, [f"run {SCENARIO} --gateway {name}", cls.chosen_by])),
    }


def _allocator(name: str) -> Facts:
    cls = ALLOCATORS.get(name) or own_class("allocator", name, Allocator, importing=GET_ALLOCATOR)
    return _strategy("allocator", cls, "port_allocation_type", name) | {
        "example": f"run {SCENARIO} --allocator {name}"
    }


def _policy(name: str) -> Facts:
    cls = POLICIES.get(name) or own_class("policy", name, Policy, importing=GET_POLICY)
    return _strategy("policy", cls, "on_exhaustion", name)


def _strategy(kind: str, cls: Any, key: str, name: str) -> Facts:
    """Return the facts of an allocator or a policy, which is a value of a setting."""
    return {
        "kind": kind,
        "name": name,
        "description": first_line(cls),
        "text": _text(cls),
        "setting": f"{key}={name}",
        "set_by": [{**row, "value": ""} for row in setters(key) if row["value"] == name],
        "gateways": followers(key, name),
        "file": _file(cls),
        "example": f"run {SCENARIO} --set {key}={name}",
    }


def _profile(name: str) -> Facts:
    profile = EXPLAINED[name]
    return {
        "kind": "profile",
        "name": name,
        "description": profile.description,
        "settings": _values(profile.settings, profile.reasons),
        "assumed": profile.assumed,
        "file": f"controller/settings/profiles/{name}.yaml",
        "example": f"run {SCENARIO} --profile {name}" + QUICKLY * (name in CLOUDS),
    }


def _setting(name: str) -> Facts:
    (field,) = (row for row in fields(Settings) if row["name"] == name)
    classes = CHOICES.get(name, {})
    return {
        "kind": "setting",
        **field,
        "choices": [{"name": each, "description": first_line(cls)} for each, cls in classes.items()],
        "set_by": setters(name),
        "gateways": followers(name),
        "example": example(SCENARIO, GATEWAY, field),
    }


def _bench(name: str) -> Facts:
    cls = load("bench", name)
    return {
        "kind": "bench",
        "name": name,
        "description": cls.question(),
        "text": _text(cls),
        "note": cls.note,
        "subjects": list(cls.subjects),
        "parameters": fields(cls.Parameters),
        "file": _file(cls),
        "example": f"bench {name}",
    }


def _lab(name: str) -> Facts:
    (row,) = (row for row in ROWS["labs"]() if row["name"] == name)
    return {"kind": "lab", **row}


FACTS: dict[str, Callable[[str], Facts]] = {
    "scenarios": _scenario,
    "topologies": _topology,
    "gateways": _gateway,
    "allocators": _allocator,
    "policies": _policy,
    "profiles": _profile,
    "settings": _setting,
    "benches": _bench,
    "labs": _lab,
}
"""For each list, a function that returns the facts of a name, and raises ConfigurationError for a wrong file."""


def parameters_named(name: str) -> list[Facts]:
    """Return the facts of a key of `--set` that is no setting of all gateways."""
    owners = [(kind, owner, field) for kind, owner, field in parameters() if field["name"] == name]
    if not owners:
        return []
    rows = [{**field, "name": f"{kind} {owner}"} for kind, owner, field in owners]
    kind, owner, field = owners[0]
    facts: Facts = {"kind": "parameter", "name": name, "belongs_to": rows}
    if kind == "bench":
        return [{**facts, "example": f"bench {owner} --set {name}={written(field['default'])}"}]
    scenario, gateway = (owner, GATEWAY) if kind == "scenario" else (SCENARIO, owner)
    return [{**facts, "example": example(scenario, gateway, field)}]


def parameters() -> Iterator[tuple[str, str, Row]]:
    """Yield the fields of `--set` that are no settings of all gateways, with the kind and name of what has it."""
    for kind, model in (("scenario", "Parameters"), ("gateway", "Options"), ("bench", "Parameters")):
        for owner, cls in ours(kind).items():
            for field in fields(getattr(cls, model)):
                yield kind, owner, field


def _values(settings: Mapping[str, Any], reasons: Mapping[str, str] | None = None) -> list[Row]:
    return [
        {"name": key, "value": written(value), "description": (reasons or {}).get(key, "")}
        for key, value in settings.items()
    ]


def _text(cls: type) -> str:
    """Return what the class's file and its docstring explain, without the class's first line."""
    module = (sys.modules[cls.__module__].__doc__ or "").strip()
    _, _, more = inspect.cleandoc(cls.__doc__ or "").partition("\n")
    return "\n\n".join(text for text in (module, more.strip()) if text)


def _file(cls: type) -> str:
    """Return the path of a class's file, within the checkout if it is there."""
    path = Path(inspect.getfile(cls))
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
