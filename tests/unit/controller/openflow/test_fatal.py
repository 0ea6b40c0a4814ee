"""The end of the controller by a failure: its last words, which are what a user reads of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
from controller.openflow.fatal import fatal
from controller.settings import ConfigurationError

@fatal
def tick(failure):
    if failure:
        raise failure

tick(None)
print("alive", flush=True)
tick({failure})
print("still alive", flush=True)
"""


def end(failure: str) -> subprocess.CompletedProcess[str]:
    """Let a process fail so."""
    program = PROGRAM.format(failure=failure)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("failure", ["ValueError('lost')", "ConfigurationError('lost')"])
def test_a_failure_ends_the_process(failure: str) -> None:
    """At once, with status 1."""
    ended = end(failure)

    assert (ended.returncode, ended.stdout) == (1, "alive\n")


def test_a_stranger_s_fault_is_a_sentence() -> None:
    """Nothing else is printed: the traceback would be ours."""
    assert end("ConfigurationError('allocator mine.py gave port 80')").stderr == (
        "controller: allocator mine.py gave port 80\n"
    )


def test_any_other_failure_is_told_with_its_traceback() -> None:
    """And at the end with what failed."""
    words = end("KeyError(5)").stderr.splitlines()

    assert words[0] == "Traceback (most recent call last):"
    assert words[-2:] == ["KeyError: 5", "controller: tick failed"]
