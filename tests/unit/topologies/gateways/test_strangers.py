"""A stranger's program as a process: its environment, and its last words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.settings import Settings
from topologies.gateways.base import GatewayPlan, Options
from topologies.gateways.strangers import LOG, MOST_LOG, MOST_MEMORY, PASSED, StrangersProcess


def started(folder: Path, *command: str) -> StrangersProcess:
    """Return a process of ours that has ended."""
    plan = GatewayPlan(Settings(), Options(), [], "02:00:00:00:00:01", 1, folder, "kernel")
    process = StrangersProcess(plan, "the program", command, environment={"GIVEN": "1"})
    process.process.wait()
    return process


def test_a_program_gets_few_variables_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else the user's shell has is private, and would be another on the next machine."""
    monkeypatch.setenv("MY_SECRET", "1")
    named = {line.partition("=")[0] for line in started(tmp_path, "env").printed().splitlines()}

    assert named <= {*PASSED, "GIVEN", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert {"PATH", "GIVEN"} <= named


def test_its_last_words_are_the_end_of_its_log_however_long_that_is(tmp_path: Path) -> None:
    """A log without a limit, as of a program that has changed it."""
    process = started(tmp_path, "true")
    os.truncate(tmp_path / LOG, MOST_LOG)
    with (tmp_path / LOG).open("a") as log:
        log.write("\nno port is left\n")

    assert process.error("has ended").printed.endswith("\nno port is left")


def test_its_limits_are_there_from_its_first_instruction(tmp_path: Path) -> None:
    """A shell counts them in KiB, and files in blocks of 512 bytes."""
    process = started(tmp_path, "sh", "-c", "ulimit -d; ulimit -f")

    assert process.printed().split() == [str(MOST_MEMORY >> 10), str(MOST_LOG // 512)]
