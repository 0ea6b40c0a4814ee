"""Work in a process of its own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

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


def holding(path: str) -> None:
    """Open a pipe, say so, and wait for ever."""
    with open(path, "w") as pipe:
        pipe.write("here\n")
        pipe.flush()
        signal.pause()


def test_it_ends_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    """A lab does not outlive a worker that was killed. Its end of the pipe is closed when it is gone."""
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    script = f"from {__name__} import apart, holding; apart(holding, {path!r})"
    with subprocess.Popen([sys.executable, "-P", "-c", script]) as waiting, open(path) as pipe:
        assert pipe.readline() == "here\n"
        waiting.kill()
        assert select.select([pipe], [], [], 60)[0]
        assert pipe.read() == ""


def test_a_process_that_is_lost_is_an_error() -> None:
    """And no endless wait."""
    with pytest.raises(MachineError, match="ended with status -9"):
        apart(killed, 1)
