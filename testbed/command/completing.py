"""What a Tab may complete: names, files, and the keys and values of `--set`.

Typer calls these functions with the word so far, and keeps what begins with it. They import only what they need,
since a person waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

Completion = Callable[[str], list[str]]

BY_FILE = ("port_allocation_type", "on_exhaustion")
"""The settings that may be a file of the user's."""


def files(*suffixes: str) -> Completion:
    """Return what completes folders, and files with one of these suffixes."""

    def complete(incomplete: str) -> list[str]:
        return list(_files(incomplete, suffixes))

    return complete


def named(kind: str, *, or_file: bool = True) -> Completion:
    """Return what completes the names of a list, and Python files where these may stand in their place."""

    def complete(incomplete: str) -> list[str]:
        from testbed.command.names import NAMES

        return [*NAMES[kind](), *(_own(incomplete) if or_file else [])]

    return complete


def several(kind: str) -> Completion:
    """Return what completes the last of several names with commas between them."""
    one = named(kind)

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [f"{before}{comma}{name}" for name in one(last) if name not in given]

    return complete


def lists(incomplete: str) -> list[str]:
    """Complete the names of the lists."""
    from testbed.command.names import NAMES

    return list(NAMES)


def everything(incomplete: str) -> list[str]:
    """Complete every name that `lastport show` knows, but for those of parameters."""
    from testbed.command.names import NAMES

    names = {name: None for of_one in NAMES.values() for name in of_one()}
    return [*names, *_own(incomplete)]


def skeletons(incomplete: str) -> list[str]:
    """Complete the kinds of files that `lastport new` writes."""
    from testbed.command.new import KINDS

    return list(KINDS)


def assignments(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete a KEY= with a value that is possible for it, or a key of what the line so far is about."""
    from testbed.command.listing import TYPES

    key, equals, value = incomplete.partition("=")
    gateway, dot, own = key.rpartition(".")
    chosen = _chosen(ctx)
    fields = {field["name"]: field for field in _fields(_of_one(chosen, gateway) if dot else chosen)}
    if not equals:
        keys = [(f"{gateway}{dot}{name}=", field["description"] or "") for name, field in fields.items()]
        return keys if dot else [*keys, *_single(chosen)]
    field = fields.get(own, {"type": "", "allowed": None})
    values = [str(each) for each in field["allowed"]] if isinstance(field["allowed"], list) else []
    values += ["true", "false"] if field["type"] == TYPES["boolean"] else []
    values += ["null"] if TYPES["null"] in field["type"] else []
    values += _own(value) if own in BY_FILE else []
    return [(f"{key}={each}", "") for each in values]


def one_of_several(incomplete: str) -> list[str]:
    """Complete the name of a gateway's kind, for all gateways or (`gateway-b=netfilter`) for a single one."""
    name, equals, kind = incomplete.rpartition("=")
    return [f"{name}{equals}{each}" for each in named("gateways")(kind)]


def _of_one(chosen: dict[str, Any], gateway: str) -> dict[str, Any]:
    """Return what is chosen for one of several gateways, without a scenario: its own kind, or else that of all."""
    given = [each.rpartition("=") for each in chosen.get("gateway") or ()]
    kinds = [kind for name, _, kind in given if name == gateway] or [kind for name, _, kind in given if not name]
    return {"scenario": None, "gateway": kinds}


def _single(chosen: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the beginnings of keys for single gateways, where the network of what is chosen has several."""
    from testbed.run.strangers import files_among

    if files_among([chosen.get("scenario"), chosen.get("topology")]):
        return []
    usual = [each.topology for each in _loaded("scenario", [chosen.get("scenario")])]
    for topology in _loaded("topology", [chosen.get("topology") or next(iter(usual), None)]):
        wiring = topology().wiring
        return [(f"{name}.", f"a setting of {name} alone") for name in wiring if len(wiring) > 1]
    return []


def _chosen(ctx: typer.Context) -> dict[str, Any]:
    """Return the arguments and options of the line so far. Typer has none if the last option lacks its value."""
    words = ctx.find_root().obj
    if not words[-1].startswith("-"):
        return ctx.params
    without = words[words.index(ctx.info_name) + 1 : -1]
    return ctx.command.make_context(ctx.info_name, without, resilient_parsing=True).params


def _fields(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields that can be set: a bench's own, a plan's, or the settings and those of what is chosen."""
    from controller.settings import ConfigurationError
    from testbed.run.strangers import are_met, declared, files_among
    from testbed.sandbox.enter import MachineError

    files = files_among([chosen.get("name"), chosen.get("scenario"), *_gateways(chosen)])
    if not are_met(files):
        return _fields_of(chosen)
    try:
        told: list[dict[str, Any]] = declared(files, lambda: _fields_of(chosen), about="completion")
    except (ConfigurationError, MachineError):
        return _fields_of({"scenario": None})
    return told


def _fields_of(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields that can be set, in a process that may import what is chosen."""
    from controller.settings import Settings
    from testbed.command.listing import fields

    if "erlangs" in chosen:
        from testbed.plan.parameters import PlanParameters

        return [*fields(Settings), *fields(PlanParameters)]
    if "scenario" not in chosen:
        return [field for bench in _loaded("bench", [chosen.get("name")]) for field in fields(bench.Parameters)]
    found = fields(Settings)
    for scenario in _loaded("scenario", [chosen["scenario"]]):
        found += fields(scenario.Parameters)
    for gateway in _loaded("gateway", _gateways(chosen)):
        found += fields(gateway.Options)
    return found


def _gateways(chosen: dict[str, Any]) -> list[str]:
    """Return the kinds of gateways that are chosen, for all or (`gateway-b=netfilter`) for single ones."""
    given = chosen.get("gateway") or (chosen.get("gateways") or "").split(",")
    return [each.rpartition("=")[2] for each in given]


def _loaded(kind: str, names: Sequence[str | None]) -> Iterator[Any]:
    """Yield the classes of these names, as far as they can be loaded."""
    from controller.settings import ConfigurationError
    from testbed.registry import load

    for name in names:
        try:
            if name:
                yield load(kind, name)
        except ConfigurationError:
            continue


def _own(incomplete: str) -> list[str]:
    """Return Python files. Folders stand beside names only when a path has begun."""
    found = _files(incomplete, (".py",))
    return [path for path in found if incomplete or not path.endswith("/")]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders and the files with one of these suffixes that a path so far leads to.

    A name with a character that is no sign, such as the end of a line, has no place in an answer.
    """
    folder, slash, start = incomplete.rpartition("/")
    try:
        found = sorted(Path(f"{folder}{slash}").expanduser().iterdir())
    except (OSError, RuntimeError):  # there is no such folder, or no such user
        return
    for path in found:
        if not path.name.isprintable() or (path.name.startswith(".") and not start.startswith(".")):
            continue
        if path.is_dir():
            yield f"{folder}{slash}{path.name}/"
        elif path.suffix in suffixes:
            yield f"{folder}{slash}{path.name}"
