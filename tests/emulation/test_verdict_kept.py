"""Whatever becomes of disks, outputs and terminals, the verdict is not lost, and nothing is half written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from testbed.run.folder import RECORDING
from tests.emulation.conftest import COMMAND, DEADLINE_S, FILES, SMALL, Start
from tests.support.processes import awaited

SHORT = str(FILES / "short.py")


def ended(script: str, *arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Run a shell's script, with the command as its arguments, to its end; return status and outputs."""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_full_disk_costs_no_verdict_and_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """The disk is one of two pages, in a mount namespace of its own."""
    script = 'mount -t tmpfs -o size=8k none out && "$@"; status=$?; gzip -t out/*.gz && ls -A out; exit $status'
    (tmp_path / "out").mkdir()
    own = f"exec unshare --mount sh -c '{script}' sh \"$@\""
    status, output, complaints = ended(own, "run", SHORT, "--out", "out", cwd=tmp_path)

    assert status == 3
    assert complaints.splitlines()[-1].endswith("verdict: pass")
    *_, last, whole = output.splitlines()
    assert whole == "recording.gz"
    assert last.startswith("PASS  short on openflow, ")
    assert last.endswith("; the results could not be written to out: No space left on device")


def test_a_folder_that_vanishes_costs_no_verdict(start: Start, tmp_path: Path) -> None:
    """Nobody makes it again: that it is gone may be on purpose."""
    process = start("run", "port-exhaustion", *SMALL, "--out", "out")
    awaited((tmp_path / "out" / RECORDING).exists, "a run that has begun")
    shutil.rmtree(tmp_path / "out")
    output, complaints = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 3
    assert complaints.splitlines()[-1].endswith("verdict: pass")
    last = output.splitlines()[-1]
    assert last.startswith("PASS  port-exhaustion on openflow (")
    assert last.endswith("; the results could not be written to out: No such file or directory")
    assert not (tmp_path / "out").exists()


def test_a_full_standard_output_costs_no_verdict(tmp_path: Path) -> None:
    """Standard error has it, and the results are where they should be."""
    status, output, complaints = ended('exec "$@" >/dev/full', "run", SHORT, "--out", "out", cwd=tmp_path)

    assert (status, output) == (3, "")
    last = complaints.splitlines()[-1]
    assert last.startswith("lastport: standard output cannot be written: No space left on device; PASS  short")
    assert last.endswith("; results in out")
    assert (tmp_path / "out" / "results.json").exists()


def test_a_run_under_nohup_goes_on_when_its_terminal_is_gone(start: Start, tmp_path: Path) -> None:
    """Signals that a command was started to ignore stay ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which what is started inherits
    try:
        process = start("run", "port-exhaustion", *SMALL, "--out", "out", "--json")
    finally:
        signal.signal(signal.SIGHUP, before)
    awaited((tmp_path / "out" / RECORDING).exists, "a run that has begun")
    os.kill(process.pid, signal.SIGHUP)
    _, complaints = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0, complaints
