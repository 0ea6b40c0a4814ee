"""What uses a thing: the runs that are possible with it, what sets a setting, and what a gateway makes of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.profiles import EXPLAINED
from testbed.command.listing import TYPES, written
from testbed.registry import load, ours
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from topologies.gateways.behaviour import Behaviour, Exhaustion
from topologies.gateways.tracking import HARMLESS

Row = dict[str, Any]

SCENARIO = "port-exhaustion"
GATEWAY = "openflow"
"""The scenario and the gateway of the examples."""
EXAMPLES = ("64", "4", "1.5", "0.5")
"""Values for a number that nothing sets."""
DATAPATH = "userspace"
"""Any: whether a run is possible does not depend on it."""


def able(scenario: str, gateway: str) -> Row:
    """Return whether a scenario can run on a gateway with the defaults of both."""
    reason = impossible(scenario, gateway)
    return {"name": gateway, "description": f"cannot run it: {reason}" if reason else "can run it"}


def impossible(scenario: str, gateway: str) -> str:
    """Return the reason why a scenario cannot run on a gateway with the defaults of both, or an empty text."""
    try:
        resolve(scenario, gateway, Choices(), datapath=DATAPATH)
    except ConfigurationError as error:
        return str(error)
    return ""


def setters(key: str) -> list[Row]:
    """Return what sets a setting: scenarios, topologies, gateways, and profiles with their reasons."""
    return [
        {"name": f"{kind} {name}", "value": written(cls.settings[key]), "description": ""}
        for kind in ("scenario", "topology", "gateway")
        for name, cls in ours(kind).items()
        if key in cls.settings
    ] + [
        {"name": f"profile {name}", "value": written(profile.settings[key]), "description": profile.reasons[key]}
        for name, profile in EXPLAINED.items()
        if key in profile.settings
    ]


def followers(key: str, value: str | None = None) -> list[Row]:
    """Return what each gateway does with a setting, or with one value of it."""
    return [{"name": name, "description": _following(cls, key, value)} for name, cls in ours("gateway").items()]


def _following(gateway: Any, key: str, value: str | None) -> str:
    for restriction in gateway.restrictions:
        if restriction.key == key and (value is None or value not in restriction.allowed):
            return f"follows {key}={any_of(restriction.allowed)} only: {restriction.reason}"
    if gateway.followed is None:
        return "follows it"
    if key in HARMLESS and key in gateway.followed:
        return f"changes nothing: {HARMLESS[key]}"
    restricted = {restriction.key for restriction in gateway.restrictions}
    return "follows it" if key in gateway.followed or key in restricted else "refuses any value but the default"


def declared(behaviour: Behaviour) -> list[Row]:
    """Return what a gateway declares about itself, each fact with its source."""
    rows = []
    for field in dataclasses.fields(behaviour):
        entry = getattr(behaviour, field.name)
        rows.append({"name": field.name, "value": _fact(entry.value), "description": str(entry)})
    return rows


def _fact(value: Any) -> str:
    """Write a declared fact in words."""
    if isinstance(value, Exhaustion):
        outcomes = [f"{protocol}: {outcome}" for protocol, outcome in (value.outcome or {}).items()]
        evicts = [] if value.evicts == "nothing" else [f"evicts: {value.evicts}"]
        return ", ".join([*outcomes, *evicts, *(["holds first"] if value.holds else [])]) or "not known"
    if isinstance(value, dict):
        return ", ".join(
            f"{ending}: {least:g} s" if least == most else f"{ending}: {least:g} to {most:g} s"
            for ending, (least, most) in value.items()
        )
    return written(value)


def example(scenario: str, gateway: str, field: Row) -> str:
    """Return a run with another value of a field: the first that is possible with nothing else changed."""
    name = field["name"]
    if needed := load("gateway", gateway).chosen_by:
        return f"run {scenario} --gateway {gateway} {needed}"
    usual = load("scenario", scenario).settings.get(name, field["default"])
    named = [written(each) for each in field["allowed"]] if isinstance(field["allowed"], list) else []
    booleans = ["true", "false"] if TYPES["boolean"] in field["type"] else []
    used = [row["value"] for row in setters(name)]
    values = [value for value in [*named, *booleans, *used, *EXAMPLES] if value != written(usual)]
    options = "" if gateway == GATEWAY else f" --gateway {gateway}"
    for value in [*values, written(field["default"])]:
        try:
            resolve(scenario, gateway, Choices(sets=[f"{name}={value}"]), datapath=DATAPATH)
        except ConfigurationError:
            continue
        break
    return f"run {scenario}{options} --set {name}={value}"


def any_of(values: tuple[Any, ...]) -> str:
    """Write the values of which one is to be taken."""
    *others, last = map(written, values)
    return f"{', '.join(others)} or {last}" if others else last
