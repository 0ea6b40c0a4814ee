"""Write the pages of `docs/` that are made from the code: `python docs/generate.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TIMERS, TRANSITIONS, TcpState
from controller.settings import Settings
from controller.settings.profiles import EXPLAINED
from testbed.command.listing import TYPES, fields
from testbed.registry import ours

DOCS = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the text of each generated page, by its file's name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "value": value,
        "default_of": default_of,
        "allowed": allowed,
        "cell": cell,
        "first_line": first_line,
        "met": met,
        "place": place,
        "code": "`{}`".format,
    }
    facts: dict[str, dict[str, Any]] = {
        "conformance.md": {"requirements": requirements()},
        "tcp.md": {"states": list(TcpState), "transitions": TRANSITIONS, "timers": TIMERS},
        "scenarios.md": {"scenarios": ours("scenario"), "fields": fields},
        "settings.md": {
            "settings": fields(Settings),
            "profiles": EXPLAINED,
            "choices": {
                "port_allocation_type": ALLOCATORS,
                "address_allocation_type": POOLINGS,
                "on_exhaustion": POLICIES,
            },
            "options": {name: fields(gateway.Options) for name, gateway in ours("gateway").items()},
        },
    }
    return {name: environment.get_template(f"{name}.j2").render(known) for name, known in facts.items()}


def requirements() -> dict[str, list[dict[str, Any]]]:
    """Return the requirements of the NAT's RFCs, by RFC."""
    table: dict[str, list[dict[str, Any]]] = yaml.safe_load((DOCS / "conformance.yaml").read_text())
    return table


def met(row: dict[str, Any]) -> str:
    """Write whether a requirement is met, and why not, or how."""
    word, why = row.get("met", "yes"), cell(row.get("why", ""))
    if word == "deviation":
        return f"Deviation: {why}"
    return f"{word}. {why}" if why else word


def place(written: str) -> str:
    """Write a place in the code, `FILE: NAME`, as the name with a link to the file."""
    file, _, name = written.partition(": ")
    return f"[`{name}`](../{file})"


def value(given: object) -> str:
    """Write a value as a user types it after `--set KEY=`."""
    return given if isinstance(given, str) else json.dumps(given, default=str).replace('"', "")


def default_of(field: dict[str, Any]) -> str:
    """Write the default of a field; one that is no value of its type is made from the settings before a run."""
    is_derived = field["default"] is None and "null" not in field["type"]
    return "from the settings" if is_derived else f"`{value(field['default'])}`"


def allowed(field: dict[str, Any]) -> str:
    """Write what a field may be."""
    return cell(field["allowed"] or (field["type"] if field["type"] == TYPES["boolean"] else None))


def cell(text: object) -> str:
    """Write a text so that it fits into a cell of a table; of several values, one after the other."""
    words = ", ".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    return words.replace("|", "\\|").replace("\n", " ")


def first_line(documented: Any) -> str:
    """Return the first line of a docstring."""
    return (documented.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
