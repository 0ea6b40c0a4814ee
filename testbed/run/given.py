"""What the user gives about a run: values of keys, names and files, from everything in which they can stand.

`--set` has one flat name space, with the gateway's settings and the scenario's parameters. It overrides the
`--config` file. `--allocator` is short for one `--set`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.extensions import absolute
from testbed.registry import KINDS, load
from testbed.run.choices import Choices
from testbed.run.sides import DOT
from testbed.run.strangers import files_among
from testbed.run.written import UNREADABLE, value_of, values_in

ALLOCATOR_KEY = "port_allocation_type"
"""The setting for which `--allocator` is short."""
BRACKETS = (("[", "]"), ("{", "}"))
POLICY_KEY = "on_exhaustion"
"""The setting whose value may be a file as well."""


def files_of(choices: Choices, *names: str) -> list[Path]:
    """Return the files of a user's own among scenarios' and gateways' names, and in what else was chosen."""
    return [*files_among(_strategies(choices)), *deciding(choices, *names)]


def deciding(choices: Choices, *names: str) -> list[Path]:
    """Return those of the files whose code decides about a run, as an allocator's or a policy's does not."""
    values = values_given(choices)
    kinds = [load("gateway", name) for name in [*names, *choices.kinds.values()] if name in KINDS["gateway"].ours]
    theirs = [Path(path) for kind in kinds for path in kind.files(values)]
    return [*files_among([*names, choices.topology, *choices.kinds.values()]), *theirs]


def names_in(choices: Choices, *names: str) -> list[str]:
    """Return what was chosen by a name or a file, besides scenario and gateway: topology, allocator, policy."""
    chosen = [choices.topology, *choices.kinds.values(), *_strategies(choices)]
    return [*names, *(name for name in chosen if isinstance(name, str))]


def _strategies(choices: Choices) -> list[Any]:
    """Return the allocators and policies that are chosen."""
    given = values_given(choices)
    return [value for key, value in given.items() if key.rpartition(DOT)[2] in (ALLOCATOR_KEY, POLICY_KEY)]


def values_given(choices: Choices) -> dict[str, Any]:
    """Return the values of keys that the user gives: in a file, by `--set` and `--allocator`."""
    sets = _with_allocator(assignments(choices.sets), choices.allocator)
    return {**(values_in(choices.config) if choices.config else {}), **sets}


def _with_allocator(sets: dict[str, Any], allocator: str | None) -> dict[str, Any]:
    """Return the assignments of `--set`, with the one that `--allocator` stands for."""
    if allocator is None:
        return sets
    other = sets.setdefault(ALLOCATOR_KEY, allocator)
    if absolute(str(other)) != absolute(allocator):
        raise ConfigurationError(
            f"--allocator {allocator} and --set {ALLOCATOR_KEY}={other} contradict each other: "
            "both choose the allocator, so give one of them"
        )
    return sets


def assignments(sets: Sequence[str]) -> dict[str, Any]:
    """Return the values of the `--set` options by their keys. Raises ConfigurationError if one cannot be read."""
    return dict(_assignment(text) for text in sets)


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigurationError(f"--set {text!r} is not KEY=VALUE")
    try:
        return key.strip(), value_of(value)
    except UNREADABLE as error:
        raise ConfigurationError(f"--set {text!r}: the value cannot be read: {_why(value, error)}") from None


def _why(value: str, error: Exception) -> str:
    """Return in one line why a value cannot be read, and the way out for a list that has no end."""
    if any(value.count(opening) > value.count(closing) for opening, closing in BRACKETS):
        return "a bracket is open; close it, and quote the value, as in --set 'ports=[4096-4111,8192-8207]'"
    return " ".join((getattr(error, "problem", None) or str(error)).split())
