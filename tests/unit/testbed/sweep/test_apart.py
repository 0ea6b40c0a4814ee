"""Work in a process of its own."""

from __future__ import annotations

import os
import signal

import pytest

from controller.settings import ConfigurationError
from testbed.sandbox.enter import MachineError
from testbed.sweep.apart import apart


def printing(number: int) -> tuple[int, int]:
    """Print something, and return this process and the square of a number."""
    print("this is no answer")
    return os.getpid(), number * number


def refused(_: int) -> None:
    """Refuse."""
    raise ConfigurationError("take another one")


def killed(_: int) -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_answer_comes_from_another_process(capfd: pytest.CaptureFixture[str]) -> None:
    """What is printed there is none."""
    process, square = apart(printing, 3)

    assert square == 9
    assert process != os.getpid()
    assert capfd.readouterr().out == ""


def test_what_is_raised_there_is_raised_here() -> None:
    """Of the same class."""
    with pytest.raises(ConfigurationError, match="take another one"):
        apart(refused, 1)


def test_a_process_that_is_lost_is_an_error() -> None:
    """And no endless wait."""
    with pytest.raises(MachineError, match="ended with status -9"):
        apart(killed, 1)
