"""A refusal names what the user chose, and never a default as if it had been chosen.

What is refused first may be the value of a key that nobody gave: the default of a scenario, a profile or a
gateway, which conflicts with what the user did give. So the fewest choices are found with which a run is still
refused. The sentence begins with these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from controller.settings import ConfigurationError

BLAMED = re.compile(r"(?:[a-z]+ )?(\w+)=(.*?) is not possible(?: with [^:]*)?: (.*)", re.DOTALL)
"""A sentence that refuses a value: its key, the value, and the reason with the way out."""
ANOTHER_GATEWAY = "another --gateway"
QUOTES = "'"
NAMES = ("profile", "topology", "gateway")
"""The choices that are names. Every other is a key with a value."""

Chosen = Mapping[str, Any]
Decide = Callable[[Chosen], object]


def fewest(chosen: Chosen, error: ConfigurationError, decide: Decide) -> tuple[Chosen, ConfigurationError]:
    """Return a smallest part of what was chosen with which the same keys are refused, and the error of that."""
    kept, keys = dict(chosen), _keys(error)
    for name in chosen:
        fewer = {key: value for key, value in kept.items() if key != name}
        try:
            decide(fewer)
        except ConfigurationError as raised:
            if _keys(raised) == keys:
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


def _restated(line: str, scenario: str, guilty: Chosen, origin: Callable[[str], str]) -> str:
    match = BLAMED.fullmatch(line)
    if match is None or match[1] in guilty:
        return line
    key, value, reason = match.groups()
    subject = " and ".join(f"{name}{' ' if name in NAMES else '='}{shown(guilty[name])}" for name in guilty)
    why, _, way_out = reason.partition("; take ")
    if "gateway" in guilty and ANOTHER_GATEWAY in way_out:
        way_out = ANOTHER_GATEWAY
    way_out = way_out or f"another value of {next(iter(guilty))}"
    verb = "is" if len(guilty) == 1 else "are"
    conflict = f"{scenario}, where {origin(key)} {key}={value.strip(QUOTES)}"
    return f"{subject} {verb} not possible with {conflict}: {why}; take {way_out}"


def shown(value: Any) -> str:
    """Return a value as `--set` takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
