"""The lab sheets without a lab: each command is one that there is, and a cheap one of each does what is promised.

`lastport test --sheets` works through them with real packets.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from controller.settings import ConfigurationError
from testbed.command.cli import app
from testbed.compare import comparison
from testbed.labs.lab import Lab, find, numbers
from testbed.labs.starting import start
from testbed.labs.variants import Course
from testbed.run.choices import Choices
from testbed.run.planning import planned
from testbed.run.resolve import resolve
from testbed.run.sides import kinds_in
from tests.support.session import Session
from tests.support.sheets import LABS, LANGUAGES, languages, number, promised, steps, worked_through

NUMBER = r"\d[\d,]*(?:\.\d+)?"
CALCULATION = re.compile(rf"({NUMBER}(?: [-+x/] {NUMBER})+) = ({NUMBER})")
SHEETS = sorted(LABS.glob("[0-9]*.md"))

each_sheet = pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)


def of_lastport(command: str) -> Iterator[list[str]]:
    """Yield the words of each call of lastport in a command."""
    words: list[str] | None = None
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for word in [*lexer, "|"]:
        if word.endswith("/lastport"):
            words = []
        elif words is not None and set(word) <= set("|&;<>()"):
            yield words
            words = None
        elif words is not None:
            words.append(word)


def require_possible(words: list[str]) -> None:
    """Raise an error unless these words are a command with everything that it is given."""
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    name, command, rest = group.resolve_command(group.make_context("lastport", [*words]), words)
    assert name is not None
    assert command is not None
    given = command.make_context(name, rest).params
    if name == "plan":
        choices = Choices(None, given["allocator"], given["profile"], given["config"], given["sets"] or [], 1)
        planned(choices, **{key: given[key] for key in ("erlangs", "target", "trace")}, has_front=given["front"])
    if name == "lab" and given["what"]:
        find(given["what"])
    if name not in ("run", "exec", "shell", "compare"):
        return
    usual, kinds = kinds_in(given.get("gateway") or (), usual="openflow")
    choices = Choices(
        given["topology"] if name != "shell" else None,
        *(given[key] for key in ("allocator", "profile", "config")),
        given["sets"] or [],
        given["seed"],
        kinds=kinds,
        by_command=name == "exec",
    )
    if name == "compare":
        comparison.able(comparison.plans(choices, [given["scenario"]], comparison.names(given["gateways"])))
    else:
        resolve(given.get("scenario") or name, usual, choices, datapath="userspace")


@each_sheet
def test_each_command_of_a_sheet_is_one_that_there_is(
    sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its options, names and settings fit together, unless the instructor's part promises that they do not."""
    session = Session(tmp_path)
    monkeypatch.chdir(session.checkout)
    for lab in labs_of(sheet):
        start(lab, Course().variant(lab, None), None, session.checkout)
    for step in worked_through(sheet):
        for words in of_lastport(step.command) if "$" not in step.command else ():
            with nullcontext() if step.status != 2 else pytest.raises(ConfigurationError):
                require_possible(words)


@each_sheet
def test_a_cheap_command_of_each_sheet_shows_what_is_promised(sheet: Path, tmp_path: Path) -> None:
    """One that needs no lab: it makes the working folder, or is refused. It is run as printed, by the launcher."""
    step = next(step for step in worked_through(sheet) if "lab start" in step.command or step.status == 2)
    done = Session(tmp_path).carry_out(step)

    assert done.lacks == [], str(done)


@each_sheet
def test_the_blocks_of_a_sheet_and_of_its_instructors_part_are_of_known_kinds(sheet: Path) -> None:
    """A command in a block of no kind would never be run."""
    assert languages(sheet) <= LANGUAGES - {"console"}
    assert languages(LABS / "answers" / sheet.name) <= LANGUAGES - {"sh", "mininet"}
    assert len(steps(sheet)) > 3
    assert any(step.promises for step in promised(sheet))


def labs_of(sheet: Path) -> list[Lab]:
    """Return the lab of a sheet, if it can be marked."""
    number = sheet.name.partition("-")[0]
    return [find(number)] if number in numbers() else []


@each_sheet
def test_the_calculations_of_the_instructors_part_are_right(sheet: Path) -> None:
    """As far as they are printed: `64,512 / 240 = 268.8`."""
    page = (LABS / "answers" / sheet.name).read_text()

    for left, right in CALCULATION.findall(page):
        decimals = len(right.partition(".")[2])
        assert round(value(left), decimals) == number(right), f"{left} = {right}"


def test_a_calculation_is_one_of_the_four_kinds() -> None:
    """Products come before sums."""
    assert [value(each) for each in ("2 + 3 x 4", "64,512 / 120", "30 - 20 - 1")] == [14, 537.6, 9]
    assert CALCULATION.findall("so 120 / 16 = 7.5, and 60 x 32 / 3.8 = 505 in a minute.") == [
        ("120 / 16", "7.5"),
        ("60 x 32 / 3.8", "505"),
    ]


def value(calculation: str) -> float:
    """Return what numbers with signs between them are together."""
    total = 0.0
    for sign, product in re.findall(r"([-+]?) ?([^-+]+)", calculation):
        first, *rest = re.findall(r"([x/]?) ?([\d.,]+)", product)
        result = number(first[1])
        for operation, text in rest:
            result = result * number(text) if operation == "x" else result / number(text)
        total += -result if sign == "-" else result
    return total
