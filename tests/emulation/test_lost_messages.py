"""Messages about connections come faster than they are read, and the kernel loses some: what a recording has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.recording import Recording
from tests.emulation.conftest import Run
from tests.support.lossy import BURST
from tests.support.paths import ROOT

DEAF = str(ROOT / "tests" / "emulation" / "files" / "deaf.py") + ":Deaf"


def test_what_the_kernel_lost_is_counted_and_its_table_makes_the_rest_right() -> None:
    """A thousand beginnings in a burst, then all ends, then as many beginnings, with room for a few of them."""
    own = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    command = ["unshare", *own, sys.executable, "-P", "-m", "tests.support.lossy"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    begun, ended, begun_again = map(json.loads, done.stdout.splitlines())
    assert all(each["is_all_read"] for each in (begun, ended, begun_again))
    assert BURST * 0.9 < len(begun["table"]) == begun["gauge_before"] + begun["lost"]
    assert begun["lost"] > BURST / 2
    assert ended["gauge_before"] > BURST / 2
    assert ended["table"] == []
    assert len(begun_again["taken_before"]) < BURST / 2 < len(begun_again["table"])
    for each in (begun, ended, begun_again):
        assert each["taken_after"] == each["table"]
        assert each["gauge_after"] == len(each["table"])


@pytest.mark.deep
def test_a_run_whose_messages_are_lost_keeps_its_verdict_and_a_recording_that_is_right(
    run: Run, tmp_path: Path
) -> None:
    """In the end all ports are in use for the second time, and the recording has as many as servers saw."""
    finished = run("run", "port-exhaustion", "--gateway", DEAF, "--json", "--out", str(tmp_path / "deaf"))

    assert finished.status == 0, finished.output + finished.complaints
    recording = Recording.open(tmp_path / "deaf")
    end = recording.at(recording.seconds)
    assert sum(end.missed.values()) > 100
    assert end.allocated("gateway", "tcp") == finished.result["outcomes"]["established"] == 256
