"""What a command needs to see of this machine besides the files that it names, since it runs behind walls.

A script needs its interpreter, which its first line names. A program of a Python environment (venv, conda, pyenv)
needs that environment: the folder above its `bin`. And what is a link needs what it leads to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a program is that a command names without a folder. Others may be private, and not be seen in a run."""
MOST_IN_LINE = 4096
IS_PYTHON = ("pyvenv.cfg", "lib/python*/os.py")
"""What the folder of a Python environment has, one of the two."""


def around(files: Iterable[str]) -> list[str]:
    """Return paths of files, with those of all that they need: files and folders, each once."""
    found: dict[str, None] = {}
    waiting = [os.path.abspath(file) for file in files]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += _needed(path)
    return [*found]


def interpreter(file: str) -> str:
    """Return the path of the program that a script's first line names; nothing, if it names none."""
    try:
        with open(file, "rb") as opened:
            first = opened.read(MOST_IN_LINE).partition(b"\n")[0]
    except OSError:
        return ""
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    return words[0] if words else ""


def _needed(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        return
    if (real := os.path.realpath(path)) != path:
        yield real
    if os.access(path, os.X_OK):
        folder = Path(path).parent
        is_own = folder.name == "bin" and str(folder) not in SYSTEM.split(":")
        if is_own and any([*folder.parent.glob(each)] for each in IS_PYTHON):
            yield str(folder.parent)
        if program := interpreter(path):
            yield program
