"""`lastport new`: a file with the skeleton of a scenario, topology, gateway, allocator or policy, ready to run.

In each skeleton one check fails on purpose. Its words or its source are what to do next.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2

from controller.settings import ConfigurationError, unknown_key
from testbed.run.folder import give_to_caller

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Kind:
    """The command that runs a file of this kind, and the path of its recipe."""

    run: str
    recipe: str


KINDS = {
    "scenario": Kind("run {file}", "docs/how/scenario.md"),
    "topology": Kind("run {file}", "docs/how/topology.md"),
    "gateway": Kind("run port-exhaustion --gateway {file}", "docs/how/gateway.md"),
    "allocator": Kind("run port-exhaustion --allocator {file}", "docs/how/allocator.md"),
    "policy": Kind("run port-exhaustion --set on_exhaustion={file}", "docs/how/policy.md"),
}
"""The kinds of files that can be written, by name."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, the command that runs it, and the path of its recipe."""

    path: Path
    command: str
    recipe: str


def write(kind: str, name: str, folder: Path) -> Written:
    """Write `NAME_KIND.py` into a folder. Raises ConfigurationError, also if there is such a file already."""
    if kind not in KINDS:
        raise ConfigurationError(unknown_key(kind, list(KINDS), kind="kind"))
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"name {name!r} is not possible: take letters, digits, - and _, such as first-try"
        )
    words = re.split(r"[-_]", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))
    words = [word.lower() for word in words if word]
    if words[-1] == kind and len(words) > 1:
        words.pop()
    path = folder / f"{'_'.join(words)}_{kind}.py"
    cls = "".join(word.capitalize() for word in words)
    template = (TEMPLATES / f"{kind}.py.j2").read_text()
    if keyword.iskeyword(cls) or re.search(rf"\b{cls}\b", template):  # the file's own names
        cls += kind.capitalize()
    environment = jinja2.Environment(
        keep_trailing_newline=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = environment.from_string(template).render(cls=cls)
    try:
        with path.open("x") as file:
            file.write(text)
            give_to_caller(file.fileno())
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; take another name, or move it away") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    return Written(path, KINDS[kind].run.format(file=path), KINDS[kind].recipe)
