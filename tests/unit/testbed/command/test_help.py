"""Help: it is there for every command, fits the terminal, and loses no word."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from testbed.command.cli import app
from tests.unit.testbed.command.conftest import Lastport

WIDTHS = (40, 60, 80, 200)
commands = get_command(app).commands  # type: ignore[attr-defined] # of a group
OURS = [
    [],
    *([name] for name, command in commands.items() if command.context_settings.get("help_option_names") != []),
]


def words(text: str | None) -> list[str]:
    """Return the words of a text, as far as width changes nothing about them."""
    return (text or "").split()


def stands_in(wanted: str | None, printed: str) -> bool:
    """Whether all words of a text stand in what was printed, one after the other."""
    found = " ".join(words(printed))
    return " ".join(words(wanted)) in found


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", OURS, ids=lambda command: "".join(command) or "all")
def test_no_line_of_help_is_wider_than_the_terminal(lastport: Lastport, command: list[str], columns: int) -> None:
    """It is 80 columns wide at most."""
    printed = lastport(*command, "--help", columns=columns).out

    assert [line for line in printed.splitlines() if len(line) > min(columns, 80)] == []


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", OURS[1:], ids=lambda command: "".join(command))
def test_help_has_every_word_of_a_command_and_its_options(
    lastport: Lastport, command: list[str], columns: int
) -> None:
    """Nothing is cut, at any width."""
    printed = lastport(*command, "--help", columns=columns).out

    assert stands_in((commands[command[0]].help or "").split("\n\n")[0], printed)
    for parameter in commands[command[0]].params:
        assert stands_in(parameter.help, printed), parameter.name
        assert all(option in printed for option in parameter.opts if option.startswith("-")), parameter.name


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_list_of_commands_has_whole_sentences(lastport: Lastport, columns: int) -> None:
    """Each command has the first sentence of its help, and no dots in the place of its end."""
    printed = lastport("--help", columns=columns).out

    for name, command in commands.items():
        sentence = (command.help or "").split("\n\n")[0].split(". ")[0].rstrip(".")
        assert stands_in(f"{name} {sentence}", printed), name
    assert "..." not in printed.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", OURS, ids=lambda command: "".join(command) or "all")
def test_h_is_short_for_help(lastport: Lastport, command: list[str]) -> None:
    """For the whole, and for each command."""
    short, long = lastport(*command, "-h"), lastport(*command, "--help")

    assert short == long
    assert (short.status, short.err) == (0, "")
    assert short.out.startswith("Usage: lastport")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed(lastport: Lastport, option: str) -> None:
    """On one line, and nothing is run."""
    finished = lastport(option)

    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("lastport ")
    assert finished.out.count("\n") == 1


def test_frequent_options_are_short_and_the_same_everywhere(lastport: Lastport) -> None:
    """A letter means one thing."""
    letters: dict[str, set[str]] = {}
    for command in commands.values():
        for parameter in command.params:
            for short in (option for option in parameter.opts if not option.startswith("--")):
                if short.startswith("-"):
                    letters.setdefault(short, set()).update(set(parameter.opts) - {short})

    assert letters == {
        "-g": {"--gateway", "--gateways"},
        "-t": {"--topology"},
        "-p": {"--profile"},
        "-n": {"--newest"},
        "-s": {"--set"},
        "-y": {"--yes"},
        "-o": {"--out"},
        "-w": {"--web"},
        "-j": {"--json"},
    }


def test_help_imports_neither_pydantic_nor_rich_nor_mininet(
    started: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """It is there at once."""
    finished = started("lastport", "--help", PYTHONPROFILEIMPORTTIME="1")

    assert finished.returncode == 0
    assert "testbed.command.cli" in finished.stderr
    assert [heavy for heavy in ("pydantic", "rich.console", "mininet") if f" {heavy}\n" in finished.stderr] == []


def test_the_list_of_the_commands_builds_none_of_them() -> None:
    """Reading the options of all takes longer than all the rest of the help."""
    root: Any = get_command(app)

    assert "\n  exec " in root.get_help(root.context_class(root, info_name="lastport"))
    assert not root.commands._built
    assert root.commands["exec"].params
