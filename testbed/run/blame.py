"""A refusal names what the user chose, and never a default as if it had been chosen.

What is refused first may be the value of a key that nobody gave: the default of a scenario, a profile or a
gateway, which conflicts with what the user did give. So the fewest choices are found with which a run is still
refused. The sentence begins with these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from controller.settings import PROFILES, ConfigurationError
from testbed.registry import load
from testbed.run.choices import Choices
from testbed.run.naming import label

BLAMED = re.compile(r"(?:[a-z]+ )?(\w+)=(.*?) is not possible(?: with [^:]*)?: (.*)", re.DOTALL)
"""A sentence that refuses a value: its key, the value, and the reason with the way out."""
NUMBER = re.compile(r"\d[\d,.]*")
ANOTHER_GATEWAY = "another --gateway"
QUOTES = "'"
UNKNOWN = "unknown"
"""Stands for a value that nobody has chosen, and nobody knows."""
USUAL = {"profile": Choices().profile, "topology": None, "gateway": "openflow"}
"""The choices that are names, and what they are if the user does not choose. Every other is a key with a value."""

Chosen = Mapping[str, Any]
Decide = Callable[[Chosen], object]
Decided = TypeVar("Decided")


def decided_fairly(
    decide: Callable[..., Decided],
    scenario: str,
    gateway: str,
    choices: Choices,
    given: Chosen,
    *more: Any,
) -> Decided:
    """Return what `decide` returns for a scenario, a gateway, choices and the values of keys that are given.

    If it raises ConfigurationError, the error is raised in words that blame what the user chose.
    """

    def fewer(chosen: Chosen) -> object:
        named = {name: chosen.get(name, usual) for name, usual in USUAL.items()}
        some = replace(choices, profile=named["profile"], topology=named["topology"])
        own = {key: value for key, value in given.items() if key in chosen}
        return decide(scenario, named["gateway"], some, own, *more)

    def origin(key: str) -> str:
        cls = load("scenario", scenario)
        owners = {
            "the scenario sets": cls.settings,
            "the profile sets": PROFILES.get(choices.profile, {}),
            "the gateway sets": load("gateway", gateway).settings,
            "the topology sets": load("topology", choices.topology or cls.topology).settings,
        }
        return next((owner for owner, values in owners.items() if key in values), "the default is")

    try:
        return decide(scenario, gateway, choices, given, *more)
    except ConfigurationError as error:
        names = {"profile": choices.profile, "topology": choices.topology, "gateway": gateway}
        chosen = {**given, **{name: value for name, value in names.items() if value != USUAL[name]}}
        raise blamed(error, label(scenario), chosen, fewer, origin) from None


def fewest(chosen: Chosen, error: ConfigurationError, decide: Decide) -> tuple[Chosen, ConfigurationError]:
    """Return a smallest part of what was chosen with which the same keys are refused, and the error of that.

    The reason is the same as well, but for its numbers: else its way out is none for what was chosen.
    """
    kept, reasons = dict(chosen), _reasons(error)
    for name in chosen:
        fewer = {key: value for key, value in kept.items() if key != name}
        try:
            decide(fewer)
        except ConfigurationError as raised:
            if _reasons(raised) == reasons:
                kept, error = fewer, raised
    return kept, error


def blamed(
    error: ConfigurationError, scenario: str, chosen: Chosen, decide: Decide, origin: Callable[[str], str]
) -> ConfigurationError:
    """Return the error, in words that blame what the user chose.

    `decide` decides about the run with only some of the choices. `origin` returns what gives a key its value if
    the user does not: "the profile sets".
    """
    if all(key in chosen for key in _keys(error)):
        return error
    guilty, found = fewest(chosen, error, decide)
    if not guilty or all(key in guilty for key in _keys(found)):
        return found
    return type(found)("\n".join(_restated(line, scenario, guilty, origin) for line in str(found).splitlines()))


def _keys(error: ConfigurationError) -> list[str]:
    return [match[1] for line in str(error).splitlines() if (match := BLAMED.fullmatch(line))]


def _reasons(error: ConfigurationError) -> list[tuple[str, str]]:
    lines = str(error).splitlines()
    return [(match[1], NUMBER.sub("", match[3])) for line in lines if (match := BLAMED.fullmatch(line))]


def _restated(line: str, scenario: str, guilty: Chosen, origin: Callable[[str], str]) -> str:
    match = BLAMED.fullmatch(line)
    if match is None or match[1] in guilty:
        return line
    key, value, reason = match.groups()
    if single := next((name for name in guilty if name.endswith(f".{key}")), None):  # for one of several gateways
        return line.replace(f"{key}=", f"{single}=", 1)
    subject = " and ".join(f"{name}{' ' if name in USUAL else '='}{shown(guilty[name])}" for name in guilty)
    why, _, way_out = reason.partition("; take ")
    if "gateway" in guilty and ANOTHER_GATEWAY in way_out:
        way_out = ANOTHER_GATEWAY
    way_out = way_out or f"another value of {next(iter(guilty))}"
    verb = "is" if len(guilty) == 1 else "are"
    conflict = "" if value == UNKNOWN else f", where {origin(key)} {key}={value.strip(QUOTES)}"
    return f"{subject} {verb} not possible with {scenario}{conflict}: {why}; take {way_out}"


def shown(value: Any) -> str:
    """Return a value as `--set` takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
