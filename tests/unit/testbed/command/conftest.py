"""The command, run in this process or in one of its own, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.command.cli import main
from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it wrote."""

    status: object
    out: str
    err: str


Lastport = Callable[..., Finished]


@pytest.fixture
def lastport(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lastport:
    """Run the command in this process, in an empty folder."""

    def run(*arguments: str, columns: int = 200) -> Finished:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["lastport", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert list(tmp_path.iterdir()) == [], "it left files"
        return Finished(ended.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make a program `lastport` in the folder `bin`: the command, without the launcher."""
    path = tmp_path / "bin" / "lastport"
    path.parent.mkdir()
    path.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c 'from testbed.command.cli import main; main()' \"$@\"\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def started(program: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a process of its own, with `lastport` in its PATH and these environment variables."""

    def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            **variables,
        }
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    return run
