"""Where everything that is printed for people gets its console, so that it fits the terminal.

Rich finds the width (`COLUMNS`, the terminal's, or 80), and leaves colours out where `NO_COLOR` is set or where
there is no terminal. What it does not know is a locale without UTF-8, such as `LC_ALL=C`: Python writes UTF-8 even
then. So `fit_locale` makes both streams ASCII there. Rich then draws its boxes and bars in ASCII, and every other
character is replaced by the nearest one.

Standard output may be full, or a pipe that nobody reads any more. An OSError does not name the file that it is
about, so `watch_output` makes standard output raise an error of its own.
"""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
"""Rich's spinner, whose turn has ten steps."""
NEAREST = {
    **dict(zip(SPINNER, "|/-\\|/-\\|/", strict=True)),
    **{"✓": "+", "•": "*", "…": "...", "→": "->", "←": "<-", "“": '"', "”": '"'},
    **{"\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{MINUS SIGN}": "-", "\N{MULTIPLICATION SIGN}": "x"},
    **{"\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'"},
}
"""What stands for a character where the locale is ASCII. A letter with an accent loses the accent."""


class OutputError(Exception):
    """Standard output cannot be written: the message is the reason."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror}")
        self.is_unread = isinstance(error, BrokenPipeError)
        """Whether it is a pipe whose reader has gone, as `head` does when it has enough."""


class _Output(io.FileIO):
    """A file that raises OutputError if it cannot be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error) from None


def new_console(*, stderr: bool = False) -> Console:
    """Return a console on standard output, or on standard error."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_lines(console: Console, lines: Iterable[Text]) -> None:
    """Print lines as they are, since they are made for the console's width."""
    for line in lines:
        console.print(line, soft_wrap=True)


def open_standard_files() -> None:
    """Open those of the standard files that are closed: else the next file that is opened would be in their place.

    To write to a standard output that was closed is an error. What goes to such a standard error goes nowhere.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # it gets the lowest free number
            stream = open(number, "r" if name == "stdin" else "w", closefd=False)  # noqa: SIM115 (for good)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def watch_output() -> None:
    """Have standard output raise OutputError from now on. The command line calls it once."""
    was = sys.stdout
    if isinstance(was, io.TextIOWrapper) and was is sys.__stdout__:
        written = io.BufferedWriter(_Output(was.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(written, was.encoding, was.errors, line_buffering=was.line_buffering)


@contextmanager
def kept_besides(sentence: str) -> Iterator[None]:
    """Where standard output cannot be written in this block, have the error end with what is known without it."""
    try:
        yield
        print(end="", flush=True)
    except OutputError as error:
        error.args = (f"{error}; {sentence}",)
        discard(sys.stdout)
        raise


def discard(stream: TextIO) -> None:
    """Have a stream, and what is left to be written to it, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def fit_locale() -> None:
    """Make standard output and error ASCII if the locale is not UTF-8. The command line calls it once.

    Where it is UTF-8, what a name has that is none is written with a backslash.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if locale.getencoding().lower().replace("-", "") == "utf8":
        return
    codecs.register_error("nearest", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii", errors="nearest")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that ASCII lacks."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(NEAREST.get(each) or _bare(each) for each in lacking), error.end


def _bare(character: str) -> str:
    """Return a letter without its accents, or a question mark."""
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters or "?"
