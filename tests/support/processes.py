"""The machine's processes: a family, one of its members, and waiting until it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEADLINE_S = 30.0


def awaited(condition: Callable[[], Any], what: str) -> Any:
    """Return the value of a condition as soon as it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return value


def processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of every process, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        found[int(folder.name)] = (parent, command)
    return found


def descendants(root: int) -> dict[int, str]:
    """Return the command lines of a process and of all its descendants, by process id."""
    table = processes()
    found = {root: table[root][1]}
    while more := {
        pid: command for pid, (parent, command) in table.items() if parent in found and pid not in found
    }:
        found |= more
    return found


def one(family: dict[int, str], words: str) -> int:
    """Return the first process whose command line has these words."""
    return min(pid for pid, command in family.items() if words in command)


def child(parent: int, words: str) -> int:
    """Return the first child of a process with these words. A fork has its parent's words until it executes."""
    return min(pid for pid, (its, command) in processes().items() if its == parent and words in command)


def gone(family: dict[int, str]) -> bool:
    """Return whether none of these processes lives any more."""
    now = processes()
    return not any(pid in now and now[pid][1] == command for pid, command in family.items())
