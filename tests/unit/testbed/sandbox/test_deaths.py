"""How a process ended, in words."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from testbed.sandbox.deaths import LAST_WORDS_BYTES, how_it_ended, is_ending, last_words, stopped
from tests.support.processes import awaited


def child(command: str) -> subprocess.Popen[bytes]:
    """Start a shell with a command."""
    return subprocess.Popen(["sh", "-c", command])


def is_dead(pid: int) -> bool:
    """Whether a child has ended, and its status is still there."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("exit 0", "ended with status 0"),
        ("exit 7", "ended with status 7"),
        ("kill -KILL $$", "was killed by SIGKILL"),
        ("kill -37 $$", "was killed by signal 37"),
    ],
)
def test_a_death_is_told_by_its_status_or_signal(command: str, words: str) -> None:
    """A real-time signal has a number and no name."""
    process = child(command)
    awaited(lambda: is_dead(process.pid), "its end")

    assert is_ending(process.pid)
    assert how_it_ended(process.pid) == words
    process.wait()
    assert how_it_ended(process.pid) == "ended"


def test_a_process_that_a_signal_stopped_stands_still_until_it_goes_on() -> None:
    """One that sleeps does not stand still."""
    process = child("exec sleep 60")
    try:
        assert stopped(process.pid) is None
        assert not is_ending(process.pid)
        process.send_signal(signal.SIGSTOP)
        awaited(lambda: stopped(process.pid) is not None, "it to stop")
        process.send_signal(signal.SIGCONT)
        awaited(lambda: stopped(process.pid) is None, "it to go on")
    finally:
        process.kill()
        process.wait()


def test_last_words_are_the_end_of_a_log_of_any_length(tmp_path: Path) -> None:
    """What is cut begins with an ellipsis; a log that is not there has no words."""
    log = tmp_path / "log"
    log.write_bytes(b"x" * 3 * LAST_WORDS_BYTES + b"\xff\nthe end\n")

    assert last_words(str(log)).endswith("x\N{REPLACEMENT CHARACTER}\nthe end")
    assert last_words(str(log)).startswith("…x")
    assert len(last_words(str(log))) <= LAST_WORDS_BYTES + 1
    log.write_text("short\n")
    assert last_words(str(log)) == "short"
    assert last_words(str(tmp_path / "none")) == ""
