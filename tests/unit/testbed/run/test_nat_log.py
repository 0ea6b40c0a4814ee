"""The log of a run's gateways, made from its recording."""

from __future__ import annotations

import io
from pathlib import Path

from controller.settings import Settings
from testbed.natlog.lines import read, time
from testbed.natlog.who import holders
from testbed.recording import Recording
from testbed.recording.format import FILE, RECORD, TICKS_PER_S, Kind
from testbed.recording.writer import Writer
from testbed.run.nat_log import lines

ALICE, BOB = 1, 2


def recording(folder: Path, *events: tuple[float, Kind, int, int]) -> Recording:
    """Return a recording of a gateway with one address; each event has its seconds, kind, port and subscriber."""
    file = io.BytesIO()
    header = {"started": "2026-11-29T10:00:00.000+00:00", "gateways": {"gateway": {}, "other": {}}}
    writer = Writer(file, header)
    writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"], [2, "other", "192.0.2.2"]])
    writer.text(0, "table", subscribers=[[ALICE, "gateway", "10.0.0.1"], [BOB, "gateway", "10.0.0.2"]])
    for at, kind, port, subscriber in events:
        writer.events(RECORD.pack(round(at * TICKS_PER_S), kind, 0, 1, port, subscriber))
    writer.events(RECORD.pack(9 * TICKS_PER_S, Kind.ALLOCATED, 0, 2, 1024, ALICE))
    writer.end(12.0, verdict="pass")
    (folder / FILE).write_bytes(file.getvalue())
    return Recording.open(folder)


EVENTS = (
    (1.5, Kind.ALLOCATED, 1024, ALICE),
    (1.6, Kind.REFUSED, 0, BOB),
    (2.0, Kind.CLOSING, 1024, ALICE),
    (2.5, Kind.RELEASED, 1024, ALICE),
    (3.0, Kind.FREED, 1024, 0),
    (4.0, Kind.ALLOCATED, 1025, BOB),
)


def test_mappings_are_logged_at_the_times_of_the_run(tmp_path: Path) -> None:
    """Of the gateway that was asked about, and nothing but beginnings and ends."""
    found = [*lines(recording(tmp_path, *EVENTS), "gateway", Settings(ports=16, log="mappings"))]

    assert found == [
        "2026-11-29T10:00:01.500Z open tcp 192.0.2.1 1024 10.0.0.1",
        "2026-11-29T10:00:02.500Z close tcp 192.0.2.1 1024 10.0.0.1",
        "2026-11-29T10:00:04.000Z open tcp 192.0.2.1 1025 10.0.0.2",
    ]


def test_blocks_are_logged_when_they_change_hands(tmp_path: Path) -> None:
    """And tell who had a port that had no mapping at the time."""
    settings = Settings(ports=16, log="blocks", port_allocation_type="blocks", port_set_size=8)
    found = [*lines(recording(tmp_path, *EVENTS), "gateway", settings)]
    asked = holders(read(found), "192.0.2.1", 1031, time("2026-11-29T10:00:03Z"))

    assert [line.split()[1:] for line in found] == [
        ["block", "tcp", "192.0.2.1", "1024-1031", "10.0.0.1"],
        ["unblock", "tcp", "192.0.2.1", "1024-1031", "10.0.0.1"],
        ["block", "tcp", "192.0.2.1", "1024-1031", "10.0.0.2"],
    ]
    assert [each.subscriber for each in asked] == ["10.0.0.1"]


def test_a_gap_in_the_recording_is_a_gap_in_the_log(tmp_path: Path) -> None:
    """A comment stands there, and the log can still be read."""
    file = io.BytesIO()
    writer = Writer(file, {"started": "2026-11-29T10:00:00+00:00", "gateways": {"gateway": {}}})
    writer.text(1, "missed", gateway="gateway", events=3)
    writer.end(2.0, verdict="pass")
    (tmp_path / FILE).write_bytes(file.getvalue())
    found = [*lines(Recording.open(tmp_path), "gateway", Settings(log="mappings"))]

    assert found == ["# the recording lacks events here"]
    assert list(read(found)) == []
