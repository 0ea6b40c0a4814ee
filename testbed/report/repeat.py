"""The command that repeats a run, made from what was chosen otherwise than by default, and quoted for a shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from testbed.registry import COMMANDS
from testbed.run.written import UNREADABLE, value_of

LAUNCHER = ("sudo", "./lastport")
OPTIONS = {"topology": "--topology", "profile": "--profile", "seed": "--seed"}
"""Choices that have an option of their own. Every other is a `--set`."""
DEFAULT_GATEWAY = "openflow"
LONGEST = 120
"""The characters of a text that is tried without quotes. To read a longer one takes its time."""


def repeating(run: Mapping[str, Any]) -> str:
    """Return the command line that repeats a run, whatever command it was part of."""
    if run["scenario"] in COMMANDS:
        return as_typed(run)
    gateway = [] if run["gateway"] == DEFAULT_GATEWAY else ["--gateway", run["gateway"]]
    return shlex.join([*LAUNCHER, "run", run["scenario"], *gateway, *_chosen(run)])


def as_typed(results: Mapping[str, Any]) -> str:
    """Return the command as it was typed; an empty text if that is not known."""
    command = results.get("command")
    return shlex.join([*LAUNCHER, *command]) if command else ""


def _chosen(run: Mapping[str, Any]) -> Iterator[str]:
    places = (run.get("network") or {}).get("places", ())
    gateways = {place["name"] for place in places if place["kind"] == "nat"}
    for key, value in run.get("chosen", {}).items():
        if key in OPTIONS:
            yield from (OPTIONS[key], str(value))
        elif key in gateways:
            yield from ("--gateway", f"{key}={value}")
        else:
            yield from ("--set", f"{key}={_written(value)}")


def _written(value: Any) -> str:
    """Return a value as `--set` reads it: a text as it is, unless that would be read as something else."""
    if isinstance(value, str) and _is_read_as(value):
        return value
    text = "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _escaped(sign: str) -> str:
    """Return a character as YAML reads it within quotes, which JSON writes otherwise."""
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _is_read_as(text: str) -> bool:
    if len(text) > LONGEST:
        return False
    try:
        return value_of(text) == text and bool(text.strip())
    except UNREADABLE:
        return False
