"""What `lastport show NAME` prints: everything about each thing of that name, found and made readable."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.extensions import is_file
from testbed.command.facts import FACTS, Facts, Row, parameters, parameters_named
from testbed.command.listing import TYPES, allowed, with_unit
from testbed.command.names import NAMES
from testbed.run.strangers import are_met, declared, files_among

TITLES = {
    "claim": "People say",
    "topology": "Topology",
    "links": "Links",
    "nats": "NATs",
    "clients": "Clients, unless set",
    "setting": "Chosen by",
    "default": "Default",
    "allowed": "Allowed",
    "source": "Source",
    "note": "Note",
    "subjects": "Subjects",
    "needs": "Needs of the machine",
    "not_followed": "Must keep their defaults",
    "promises": "May be promised",
    "scenarios": "Scenarios on it",
    "file": "File",
    "example": "Example",
}
"""The titles of what is a line or two, in the order in which they are printed."""
SECTIONS = {
    "choices": "Values",
    "belongs_to": "Belongs to",
    "parameters": "Parameters",
    "options": "Settings of this gateway only",
    "settings": "Settings that it changes",
    "requires": "Needs",
    "reckons_with": "Limits and timers that its checks follow; any other that could stop it is refused",
    "set_by": "Set by",
    "gateways": "Gateways",
    "restrictions": "Follows only",
    "declares": "Declares, with the source of each fact",
    "cannot": "Scenarios that it cannot run with their defaults",
}
"""The titles of what is a list, in the order in which they are printed."""


def found(name: str) -> list[Facts]:
    """Return the facts of each thing of this name. Raises ConfigurationError if there is none."""
    if is_file(name):
        files = files_among([name])
        if not are_met(files):
            return _of_a_file(name)
        told: list[Facts] = declared(files, lambda: _of_a_file(name), about=name)
        return told
    things = [FACTS[kind](name) for kind, names in NAMES.items() if name in names()]
    things += parameters_named(name)
    if not things:
        raise ConfigurationError(_unknown(name))
    return things


def _unknown(name: str) -> str:
    """Return the sentence for a name that nothing has, with the names that come closest to it."""
    known = {each for names in NAMES.values() for each in names()}
    known |= {field["name"] for _, _, field in parameters()}
    close = difflib.get_close_matches(name, sorted(known), n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "`lastport list KIND` prints the names"
    if name in NAMES:
        hint = f"did you mean `lastport list {name}`?"
    return f"name {name!r} is unknown: {hint} (or give FILE.py:Class)"


def _of_a_file(name: str) -> list[Facts]:
    """Return the facts of the classes that a user's file has, or that it has under this name."""
    things, errors = [], []
    for kind in ("scenarios", "topologies", "gateways", "allocators", "policies", "benches"):
        try:
            things.append(FACTS[kind](name))
        except ConfigurationError as error:
            errors.append(error)
    if not things:
        raise errors[0]
    return things


def lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield titles and texts of what is a line or two."""
    shown = facts | {"example": f"sudo ./lastport {facts['example']}"} if "example" in facts else dict(facts)
    if facts["kind"] == "setting":
        or_null = " or null" if TYPES["null"] in facts["type"] else ""
        shown |= {"default": with_unit(facts), "allowed": f"{allowed(facts)}{or_null}"}
    for key, title in TITLES.items():
        value = shown.get(key)
        if value:
            yield title, ", ".join(value) if isinstance(value, list) else value


def sections(facts: Facts) -> Iterator[tuple[str, list[Any]]]:
    """Yield titles and what is a list: of texts, or of rows with a name, a value and a description."""
    for key, title in SECTIONS.items():
        if rows := facts.get(key):
            yield title, [each if isinstance(each, str) else _row(each) for each in rows]


def _row(given: Row) -> Row:
    """Return a row as it is printed: of a field its default and meaning."""
    if "default" in given:
        return {"name": given["name"], "value": with_unit(given), "description": _meaning(given)}
    return {"value": "", **given}


def _meaning(field: Row) -> str:
    """Return what a field means, and what it may be."""
    meaning, may_be = field["description"], allowed(field)
    is_named = all(word in meaning for word in may_be.split(", "))
    return meaning if is_named else f"{meaning} ({may_be})"
