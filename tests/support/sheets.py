"""A lab sheet as somebody works through it: its commands, and what the instructor's part promises of them.

In a sheet, a block of the language `sh` has commands, and one of `mininet` has what is typed at the prompt that
the command before it opens. A command may stand in a sentence as well: `./lastport show idle`.

In the instructor's part, a block of the language `console` is a transcript. Its commands begin with `$ `, and the
lines below a command are promises: each has to be found in the output, in this order. Lines may be left out, and
white space does not count.

| in a promise | stands for |
|---|---|
| `...` | anything |
| `[2.0 to 4.0]` | a number in this range |
| `(exit status 2)`, as the last line | how the command ends, if it is not 0 |

A command that only the transcript has is run where it stands there.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import ROOT

LABS = ROOT / "docs" / "labs"
LANGUAGES = {"sh", "mininet", "text", "python", "yaml", "console"}
PART = re.compile(
    r"^```(?P<language>\w*)\n(?P<block>.*?)^```$|`(?P<span>\.{1,2}/lastport [^`]+)`", re.DOTALL | re.MULTILINE
)
ENDS = re.compile(r"\(exit status (\d+)\)")
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
ANYTHING = "..."
HOLES = re.compile(rf"(\.\.\.|\{{\}}|\[{NUMBER} to {NUMBER}\])")


Numbers = Callable[[str], str]


@dataclass
class Step:
    """A command, what is typed while it runs, and what is promised of it."""

    command: str
    typed: list[str] = field(default_factory=list)
    promises: list[str] = field(default_factory=list)
    status: int | None = None
    """The exit status that is promised, if one is."""
    is_mentioned: bool = field(default=False, compare=False)
    """Whether it stands in a sentence, where nothing is promised."""


def steps(sheet: Path, numbers: Numbers = str) -> list[Step]:
    """Return the commands of a sheet, in its order. `numbers` puts a student's own into a text."""
    return _steps(numbers(sheet.read_text()), "sh")


def promised(sheet: Path, numbers: Numbers = str) -> list[Step]:
    """Return the commands of the instructor's part, with what is promised of each."""
    return _steps(numbers((LABS / "answers" / sheet.name).read_text()), "console")


def worked_through(sheet: Path, numbers: Numbers = str) -> list[Step]:
    """Return the commands of both in the order in which they are run, with what is promised."""
    own, todo = steps(sheet, numbers), promised(sheet, numbers)
    commands = [step.command for step in own]
    found, place = list[Step](), 0
    for step in todo:
        if step.command in commands[place:] and not step.is_mentioned:
            upto = commands.index(step.command, place)
            found += own[place:upto]
            own[upto].promises, own[upto].status = step.promises, step.status
            found.append(own[upto])
            place = upto + 1
        elif not step.is_mentioned or step.command not in commands:
            found.append(step)
    return found + own[place:]


def languages(page: Path) -> set[str]:
    """Return the languages of a page's blocks."""
    return {part["language"] for part in PART.finditer(page.read_text()) if part["block"] is not None}


def missing(promises: list[str], output: str) -> list[str]:
    """Return the promises that an output does not keep."""
    rest, lost = _plain(output), []
    for promise in promises:
        match = kept(promise, rest)
        if match is None:
            lost.append(promise)
        else:
            rest = rest[match.end() :]
    return lost


def kept(promise: str, output: str) -> re.Match[str] | None:
    """Return where an output keeps a promise. In place of `{}`, which is a group, any number may stand."""
    parts = HOLES.split(_plain(promise))
    pattern = "".join(_pattern(part, is_hole=place % 2 == 1) for place, part in enumerate(parts))
    holes = [part for part in parts[1::2] if part != ANYTHING]
    for match in re.finditer(rf"(?<!\S){pattern}(?![\w%]|[.,]\d)", _plain(output)):
        if all(_is_in(hole, number(text)) for hole, text in zip(holes, match.groups(), strict=True)):
            return match
    return None


def number(text: str) -> float:
    """Return a number as it is printed."""
    return float(text.replace(",", ""))


def _pattern(part: str, *, is_hole: bool) -> str:
    if not is_hole:
        return re.escape(part)
    return ".{0,300}?" if part == ANYTHING else f"({NUMBER})"


def _is_in(hole: str, value: float) -> bool:
    if hole == "{}":
        return True
    least, most = map(number, hole[1:-1].split(" to "))
    return least <= value <= most


def _plain(text: str) -> str:
    return " ".join(text.split())


def _steps(page: str, language: str) -> list[Step]:
    found: list[Step] = []
    for part in PART.finditer(page):
        if part["span"]:
            found += [Step(part["span"], is_mentioned=True)] * (ANYTHING not in part["span"])
        elif part["language"] == "mininet":
            found[-1].typed += part["block"].splitlines()
        elif part["language"] == language == "sh":
            found += [Step(command) for command in _commands(part["block"])]
        elif part["language"] == language:
            found += _transcript(part["block"])
    return found


def _commands(block: str) -> list[str]:
    """Return the commands of a block; one may go on over several lines, as the shell decides."""
    found, is_open = list[str](), False
    for line in block.splitlines():
        found = [*found[:-1], f"{found[-1]}\n{line}"] if is_open else [*found, line]
        is_open = _is_open(found[-1])
    return [command for command in found if command.strip()]


def _is_open(command: str) -> bool:
    """Return whether a shell would read another line before it runs this."""
    tried = subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, check=False)
    return bool(tried.stderr) or command.endswith("\\")


def _transcript(block: str) -> list[Step]:
    """Return the commands of a transcript with what is promised of each."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:]))
        elif not found[-1].promises and _is_open(found[-1].command):
            found[-1].command += f"\n{line}"
        elif ended := ENDS.fullmatch(line):
            found[-1].status = int(ended[1])
        elif line.strip():
            found[-1].promises.append(line)
    return found
