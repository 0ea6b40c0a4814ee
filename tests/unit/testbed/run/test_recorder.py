"""The launcher records what the sandbox reports, whatever that is, and whatever becomes of the disk."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controller.recording import RECORD, Kind
from testbed.recording import Event, Recording, Text
from testbed.run.choices import Choices
from testbed.run.folder import Folder
from testbed.run.recorder import MOST_EARLY, Recorder
from testbed.run.resolve import resolve
from testbed.run.results import Result
from tests.support.paths import ROOT

PLAN = resolve("port-exhaustion", "openflow", Choices(), datapath="userspace")
KNOWS = {"gateway": {"knows": ["ALLOCATED"], "how": "its own events"}}
EVENT = RECORD.pack(0, Kind.ALLOCATED, 0, 1, 1024, 2)


def recorded(path: Path, *records: dict[str, Any]) -> tuple[Recording, Result]:
    """Record a run in which the sandbox reports these."""
    result = Result(PLAN)
    recorder = Recorder(PLAN, Folder(path))
    for record in records:
        recorder.take(record, result)
    result.finish()
    recorder.end(result)
    recorder.close()
    return Recording.open(path), result


def test_what_came_before_the_network_was_there_is_recorded_as_well(tmp_path: Path) -> None:
    """The header comes first, and says what can be known."""
    recording, _ = recorded(
        tmp_path,
        {"kind": "phase", "name": "build"},
        {"kind": "recording", "gateways": KNOWS},
        {"kind": "table", "addresses": [[1, "gateway", "192.0.2.1"]], "subscribers": [[2, "gateway", "10.0.0.1"]]},
        {"kind": "events", "gateway": "gateway", "data": base64.b64encode(EVENT).decode()},
        {"kind": "phase_ended", "name": "build"},
    )

    header, *rest, end = recording
    assert isinstance(header, Text)
    assert header.content["gateways"]["gateway"] == {
        "addresses": ["192.0.2.1"],
        "first_port": 1024,
        "ports": 256,
        "port_ranges": [[1024, 1279]],
        "knows": ["ALLOCATED"],
        "how": "its own events",
    }
    assert [each.kind for each in rest if isinstance(each, Text)] == ["phase", "phase"]
    (event,) = (each for each in rest if isinstance(each, Event))
    assert (event.address, event.port, event.subscriber) == ("192.0.2.1", 1024, "10.0.0.1")
    assert isinstance(end, Text)
    assert end.content["verdict"] == "error"
    assert recording.is_complete


def test_what_waits_for_the_network_is_bounded(tmp_path: Path) -> None:
    """A scenario of one's own may report phases in a loop while it is built. The rest is counted."""
    early: list[dict[str, Any]] = [{"kind": "phase", "name": "again"}] * (MOST_EARLY + 7)

    recording, _ = recorded(tmp_path, *early, {"kind": "recording", "gateways": KNOWS})

    found = [each for each in recording if isinstance(each, Text)]
    assert sum(each.kind == "phase" for each in found) == MOST_EARLY
    assert [each.content for each in found if each.kind == "missed"] == [
        {"kind": "missed", "events": 0, "texts": 7}
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "events"},
        {"kind": "events", "data": 7},
        {"kind": "events", "data": "é"},
        {"kind": "phase_ended"},
        {"kind": "phase", "name": "x", "at": "noon"},
        {"kind": "phase", "name": "x", "at": [1]},
        {"kind": "phase", "name": "x", "at": float("nan")},
        {"kind": "phase", "name": "x", "at": float("inf")},
        {"kind": "progress", "time": 3, "file": 1},
        {"kind": "header", "lastport_recording": 9},
        {"kind": "end", "verdict": "pass"},
        {"kind": "no such thing"},
        {"kind": 7},
        {"kind": ["phase"]},
        {"kind": "table", "addresses": "none"},
        {"kind": "table", "subscribers": [[70000, "a", "b"]]},
        {"kind": "phase", "name": "x", "lastport_recording": 9},
        {"kind": "recording", "gateways": KNOWS},
        {"kind": "recording", "gateways": 7},
    ],
    ids=str,
)
def test_what_makes_no_sense_costs_neither_the_run_nor_the_recording(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    """A stranger's code may report anything."""
    recording, result = recorded(tmp_path, record, {"kind": "recording", "gateways": KNOWS}, record)

    assert result.unrecorded == ""
    assert recording.is_complete
    assert recording.at(1e6) is not None


def test_a_folder_that_cannot_be_written_costs_a_sentence(tmp_path: Path) -> None:
    """The verdict and the exit status are those of the checks."""
    (tmp_path / "recording.gz").mkdir()
    result = Result(PLAN, checks=[{"ok": True}], done=True)
    recorder = Recorder(PLAN, Folder(tmp_path))
    recorder.take({"kind": "recording", "gateways": KNOWS}, result)
    result.finish()
    recorder.end(result)
    recorder.close()

    assert result.unrecorded == f"recording.gz could not be written to {tmp_path}: File exists"
    assert (result.verdict, result.status) == ("pass", 0)
    assert result.as_json({})["unrecorded"] == result.unrecorded


def test_a_recording_without_anything_is_removed(tmp_path: Path) -> None:
    """As where the run cannot begin."""
    folder = Folder(tmp_path)
    Recorder(PLAN, folder).close()

    assert folder.recorded() == {}
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tests.unit.testbed.run.test_recorder import *
result = Result(PLAN)
recorder = Recorder(PLAN, Folder(Path(sys.argv[1])))
recorder.take({"kind": "recording", "gateways": KNOWS}, result)
recorder.take({"kind": "events", "data": base64.b64encode(EVENT).decode()}, result)
size = os.path.getsize(sys.argv[1] + "/recording.gz")
deadline = time.monotonic() + 60
while os.path.getsize(sys.argv[1] + "/recording.gz") == size and time.monotonic() < deadline:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_launcher_that_is_killed_leaves_what_it_had_recorded(tmp_path: Path) -> None:
    """Nothing else has to happen for it to be in the file."""
    subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )

    recording = Recording.open(tmp_path)

    assert [each.kind for each in recording] == ["header", Kind.ALLOCATED]
    assert not recording.is_complete
