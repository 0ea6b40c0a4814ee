"""Write what is made from the code: `vagrant/python docs/generate.py`.

That is pages of `docs/`, and the help that the launcher prints without an environment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TIMERS, TRANSITIONS, TcpState
from controller.settings import Settings
from controller.settings.profiles import EXPLAINED
from testbed.command import listing
from testbed.command.cli import app
from testbed.command.listing import fields, first_line, written
from testbed.experiment.parameters import LinkParameters
from testbed.registry import ours
from testbed.run.schema import schema

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
        "met": met,
        "place": place,
        "code": "`{}`".format,
    }
    facts: dict[str, dict[str, Any]] = {
        "conformance.md": {"requirements": requirements()},
        "tcp.md": {"states": list(TcpState), "transitions": TRANSITIONS, "timers": TIMERS},
        "scenarios.md": {"scenarios": ours("scenario"), "fields": fields, "links": LinkParameters},
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
    made = {name: environment.get_template(f"{name}.j2").render(known) for name, known in facts.items()}
    schema_of_results = json.dumps(schema(), indent=2) + "\n"
    return made | {"../vagrant/help.txt": help_texts(), "results.schema.json": schema_of_results}


def help_texts() -> str:
    """Return what the command line prints as help, for the launcher, which prints it without an environment.

    Each text has a heading. In a complaint, @@ stands for the word that is wrong.
    """
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    width = {"terminal_width": 80, "max_content_width": 80}
    above = root.context_class(root, info_name="lastport", **root.context_settings, **width)
    texts = {"lastport": root.get_help(above)}
    for name, command in root.commands.items():
        context = command.context_class(command, info_name=name, parent=above, **command.context_settings, **width)
        texts[name] = command.get_help(context)
    for wrong, argument in {"unknown command": "@@", "unknown option": "--@@"}.items():
        told = CliRunner(env={"COLUMNS": "80"}).invoke(app, [argument], prog_name="lastport").stderr
        texts[wrong] = told.replace("--@@", "@@")
    return "".join(f"== {name} ==\n{text.rstrip()}\n" for name, text in texts.items())


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
