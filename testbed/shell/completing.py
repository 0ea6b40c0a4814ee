"""What can come next at the prompt, for the key Tab."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any

from controller.settings import Settings
from testbed.experiment.experiment import Experiment
from testbed.shell import look
from testbed.shell.attempts import PROTOCOLS

NAT = ("status", "ports", "mappings", "events", "set", "release")


def begun(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin so."""
    return sorted(name for name in names if name.startswith(text))


def nat(text: str, before: list[str], x: Experiment[Any]) -> list[str]:
    """Complete a word of `nat` after those before it."""
    match before:
        case []:
            return begun(text, NAT)
        case ["mappings"]:
            return begun(text, look.clients(x))
        case ["release"]:
            return begun(text, ["all", *look.clients(x)])
        case ["events"]:
            return begun(text, ["-f"])
        case ["set"]:
            return begun(text, Settings.model_fields)
        case ["set", key]:
            return begun(text, values(key.rpartition(".")[2]))
    return []


def values(key: str) -> list[str]:
    """Return the values of a setting that has a choice of them."""
    field = Settings.model_fields.get(key)
    if field is None:
        return []
    extra = field.json_schema_extra
    allowed = extra.get("allowed") if isinstance(extra, dict) else None
    if isinstance(allowed, list):
        return [str(each) for each in allowed]
    return [*_choices(field.annotation)]


def _choices(annotation: Any) -> Iterable[str]:
    if annotation is bool:
        yield from ("true", "false")
    elif annotation is type(None):
        yield "null"
    elif typing.get_origin(annotation) is typing.Literal:
        yield from map(str, typing.get_args(annotation))
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (
        typing.Union,
        typing.Annotated,
    ):
        for each in typing.get_args(annotation):
            yield from _choices(each)


def opening(text: str, before: list[str], x: Experiment[Any]) -> list[str]:
    """Complete an argument of `open`."""
    names: list[Iterable[str]] = [look.clients(x), x.lab.topology.servers, (), PROTOCOLS]
    return begun(text, names[len(before)]) if len(before) < len(names) else []


def clients(text: str, before: list[str], x: Experiment[Any]) -> list[str]:
    """Complete a single inside host."""
    return [] if before else begun(text, look.clients(x))
