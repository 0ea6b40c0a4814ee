"""What `lastport events` prints of a recording: one line each, in words or as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.recording import Event, Kind, Outcome, Recording, Refusal, Release, Text
from testbed.recording.format import REASONS
from testbed.recording.words import as_object, in_words
from tests.support.paths import ROOT
from tests.unit.testbed.recording.test_recording import written

ENDPOINT = {"protocol": "tcp", "gateway": "nat", "address": "192.0.2.1", "port": 1024}


def event(kind: Kind, reason: Any = None, **fields: Any) -> Event:
    """Return an event of alice's."""
    return Event(time=1.5, kind=kind, reason=reason, **{**ENDPOINT, "subscriber": "10.0.0.1", **fields})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (event(Kind.ALLOCATED), "nat: tcp 192.0.2.1:1024 is given to 10.0.0.1"),
        (
            event(Kind.RELEASED, Release.CLOSED),
            "nat: tcp 192.0.2.1:1024 of 10.0.0.1 is released: its last connection closed",
        ),
        (
            event(Kind.REFUSED, Refusal.SUBSCRIBERS, address="", port=0),
            "nat: a tcp packet of 10.0.0.1 is refused: too many subscribers",
        ),
        (event(Kind.REFUSED, None, subscriber=""), "nat: a tcp packet of somebody unknown is refused"),
        (
            event(Kind.ATTEMPT, Outcome.ESTABLISHED),
            "nat: 10.0.0.1 sees its tcp attempt established from 192.0.2.1:1024",
        ),
        (Text(1.0, "phase", {"kind": "phase", "name": "fill", "end": True}), "fill: over"),
        (
            Text(1.0, "gauges", {"gateway": "nat", "gauges": {"tcp": {"ports_allocated": 3}, "udp": {}}}),
            "nat: ports in use: 3 tcp",
        ),
        (Text(1.0, "missed", {"gateway": "nat", "events": 7}), "nat: 7 events are missing here"),
        (Text(1.0, "missed", {"events": 0, "texts": 1}), "a text was too long"),
        (Text(1.0, "missed", {"events": 0, "texts": 2}), "2 texts are missing here"),
        (
            Text(1.0, "missed", {"is_full": True, "events": 0, "texts": 0}),
            "the recording is full: what follows is not in it",
        ),
        (
            Text(9.0, "missed", {"is_full": True, "events": 7, "texts": 1}),
            "the recording is full: 7 events and 1 texts are missing here",
        ),
        (Text(1.0, "of a later version", {"a": 1}), '{"a": 1}'),
    ],
    ids=str,
)
def test_a_record_is_a_sentence(record: Event | Text, words: str) -> None:
    """It needs no other to be understood."""
    assert in_words(record) == words


def test_every_reason_has_words_of_its_own() -> None:
    """Though those of different kinds have the same numbers."""
    for kind in (Kind.RELEASED, Kind.REFUSED, Kind.ATTEMPT):
        said = [in_words(event(kind, reason)) for reason in REASONS[kind]]
        assert len(set(said)) == len(said)


def test_what_is_not_known_is_not_in_the_object() -> None:
    """The rest has the names of the enums, in small letters."""
    assert as_object(event(Kind.REFUSED, Refusal.PORTS, address="", port=0)) == {
        "time": 1.5,
        "kind": "refused",
        "gateway": "nat",
        "protocol": "tcp",
        "subscriber": "10.0.0.1",
        "reason": "ports",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a recording of 10,000 events."""
    data = written([(number, Kind.ALLOCATED, 0, 1, 1024, 1) for number in range(10_000)])
    (tmp_path / "recording.gz").write_bytes(data)
    return tmp_path


def command(*arguments: str) -> list[str]:
    """Return the command line for `lastport events`."""
    main = "from testbed.command.cli import main; main()"
    return [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); {main}",
        "events",
        *arguments,
    ]


def test_the_command_prints_every_record_as_a_line_of_json(folder: Path) -> None:
    """As many as the recording has."""
    printed = subprocess.check_output(command(str(folder), "--json"), text=True)

    assert [json.loads(line) for line in printed.splitlines()] == [*map(as_object, Recording.open(folder))]


def test_nobody_has_to_read_to_the_end(folder: Path) -> None:
    """As with `| head`: no complaint, and the status of a program that SIGPIPE has ended."""
    process = subprocess.Popen(command(str(folder)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    process.stdout.close()

    assert b"any on None" in first
    assert (process.wait(), process.stderr.read()) == (141, b"")
    process.stderr.close()


@pytest.mark.parametrize(
    ("data", "says"), [(None, "there is no recording"), (b"junk", "no gzip stream")], ids=["missing", "junk"]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, data: bytes | None, says: str) -> None:
    """With status 2, and one sentence."""
    if data is not None:
        (tmp_path / "recording.gz").write_bytes(data)

    done = subprocess.run(command(str(tmp_path)), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_recording_that_was_cut_off_says_so_in_the_end(folder: Path) -> None:
    """A reader would take the last line for the end of the run."""
    path = folder / "recording.gz"
    path.write_bytes(path.read_bytes()[:-500])

    printed = subprocess.check_output(command(str(path)), text=True)

    assert "the recording was cut off here" in printed.splitlines()[-1]
