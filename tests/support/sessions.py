"""A session at the prompt as a page shows it: what was typed, and what was answered. It is typed by a program.

    vagrant/python -m tests.support.sessions docs/how/shell.md

records the session of a page anew, through a real terminal. A test types the same lines, and compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.support.prompts import Terminal

PROMPT = "mininet> "
BLOCK = re.compile(r"^```\n(mininet> .*?)^```\n", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^sudo (./lastport shell .*)$", re.MULTILINE)
CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]|\r")
NUMBER = re.compile(r"\d[\d.,]*")


def command(page: str) -> str:
    """Return the command by which the session of a page begins."""
    found = COMMAND.search(page)
    assert found is not None, "the page has no command"
    return found[1]


def session(page: str) -> list[tuple[str, list[str]]]:
    """Return the lines that are typed in a page, each with the lines of its answer."""
    found = BLOCK.search(page)
    assert found is not None, "the page has no session"
    parts = found[1].split(PROMPT)[1:]
    return [(line, answer) for line, *answer in (part.splitlines() for part in parts)]


def typed(terminal: Terminal, line: str) -> list[str]:
    """Type a line at the prompt, and return the lines of the answer."""
    terminal.type(f"{line}\n")
    terminal.shows(f"{line}\r\n")
    seen = CONTROL.sub("", terminal.shows(f"\n{PROMPT}"))
    return seen.partition(f"{line}\n")[2].removesuffix(PROMPT).splitlines()


def begun(start: str) -> Terminal:
    """Return a terminal with the prompt in it."""
    terminal = Terminal()
    terminal.shows("shell> ")
    terminal.type(f"{start}\n")
    terminal.shows(PROMPT)
    return terminal


def alike(answer: list[str]) -> list[str]:
    """Return an answer without what differs from session to session: figures, and the room between columns."""
    return sorted(" ".join(NUMBER.sub("#", line).split()) for line in answer if line.strip())


def main() -> None:
    """Record the session of a page anew."""
    path = Path(sys.argv[1])
    page = path.read_text()
    terminal = begun(command(page))
    told = [
        f"{PROMPT}{line}\n" + "".join(f"{each}\n" for each in typed(terminal, line)) for line, _ in session(page)
    ]
    terminal.type("exit\n")
    terminal.shows("shell> ")
    terminal.close()
    path.write_text(BLOCK.sub(lambda _: f"```\n{''.join(told)}```\n", page, count=1))


if __name__ == "__main__":
    main()
