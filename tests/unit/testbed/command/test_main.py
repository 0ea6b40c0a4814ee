"""The command line as a program of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

INTERRUPTS = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0)\nraise SystemExit(7)\n"
"""A module at whose import the user presses Ctrl-C. Where that is ignored, the program ends with status 7."""


@pytest.mark.parametrize(("ignored", "status"), [(False, -signal.SIGINT), (True, 7)], ids=["heeded", "ignored"])
def test_ctrl_c_while_the_program_is_loaded_ends_it_without_a_word(
    tmp_path: Path, ignored: bool, status: int
) -> None:
    """Where the program was started so that it ignores Ctrl-C, as by nohup, it goes on."""
    (tmp_path / "typer.py").write_text(INTERRUPTS)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "testbed.command", "list"],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)

    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
