"""Write the pages of `docs/` that are made from the code: `python docs/generate.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TIMERS, TRANSITIONS, TcpState
from controller.settings import Settings
from controller.settings.profiles import EXPLAINED
from testbed.command import listing
from testbed.command.listing import fields, first_line, written
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
        "value": written,
        "default_of": default_of,
        "allowed": allowed,
        "cell": cell,
        "first_line": first_line,
    }
    facts: dict[str, dict[str, Any]] = {
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


def default_of(field: dict[str, Any]) -> str:
    """Write the default of a field as code, if it is a value."""
    text = listing.default_of(field)
    return text if text == listing.DERIVED else f"`{text}`"


def allowed(field: dict[str, Any]) -> str:
    """Write what a field may be."""
    return cell(listing.allowed(field))


def cell(text: object) -> str:
    """Write a text so that it fits into a cell of a table; of several values, one after the other."""
    words = ", ".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    return words.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
