"""What code of a user's raised, as a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.experiment.stories import told
from testbed.run.faults import lines, sentence
from topologies.gateways.base import GatewayError

SCENARIO = """
import json

def wrong():
    raise ValueError("no such host: alcie")

def deep():
    deeper()

def deeper():
    json.loads("{")

def leave():
    raise SystemExit

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

def mute():
    raise Mute
"""


@pytest.fixture
def raised(tmp_path: Path) -> Callable[[str], tuple[BaseException, str]]:
    """Return what a function of a user's file raises, and the file's path."""
    path = tmp_path / "mine.py"
    path.write_text(SCENARIO)
    module: dict[str, Any] = {}
    exec(compile(SCENARIO, path, "exec"), module)

    def call(name: str) -> tuple[BaseException, str]:
        with pytest.raises(BaseException) as found:  # noqa: PT011 (whatever it is)
            module[name]()
        return found.value, str(path)

    return call


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("wrong", "ValueError: no such host: alcie (mine.py, line 5, in wrong)"),
        (
            "deep",
            "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) "
            "(mine.py, line 11, in deeper)",
        ),
        ("leave", "SystemExit (mine.py, line 14, in leave)"),
        ("mute", "Mute: its text cannot be made: RuntimeError (mine.py, line 21, in mute)"),
    ],
)
def test_an_exception_is_a_sentence_with_file_and_line(
    raised: Callable[[str], tuple[BaseException, str]], function: str, said: str
) -> None:
    """The line is the last one in the user's file, and not the library's that raised."""
    error, path = raised(function)

    assert sentence(error, {path}) == said


def test_an_exception_of_lastport_s_own_names_no_line(
    raised: Callable[[str], tuple[BaseException, str]],
) -> None:
    """Its sentence says what to do."""
    error, _ = raised("wrong")

    assert sentence(error, {"other.py"}) == "ValueError: no such host: alcie"


def test_a_story_that_cannot_be_filled_names_its_line() -> None:
    """Besides the line that tells it."""
    with pytest.raises(Exception, match="ports") as found:
        told("Once there were\n{{ ports }} ports.")

    here = r"test_faults\.py, line \d+, in test_a_story_that_cannot_be_filled_names_its_line"
    said = rf"UndefinedError: 'ports' is undefined \({here}; line 2 of the story\)"
    assert re.fullmatch(said, sentence(found.value, {__file__}))


def test_the_lines_begin_below_the_caller(raised: Callable[[str], tuple[BaseException, str]]) -> None:
    """Who caught it is of no interest."""
    error, path = raised("wrong")

    assert lines(error).splitlines()[:2] == [
        "Traceback (most recent call last):",
        f'  File "{path}", line 5, in wrong',
    ]


def test_an_error_about_a_stranger_s_program_is_its_sentence_and_what_the_program_printed() -> None:
    """No class of ours, and no traceback through our code."""
    error = GatewayError("the app nat.py has ended", printed="no port for me")

    assert (sentence(error, ()), lines(error)) == ("the app nat.py has ended", "no port for me")
    assert sentence(GatewayError("it is slow"), ()) == "GatewayError: it is slow"
