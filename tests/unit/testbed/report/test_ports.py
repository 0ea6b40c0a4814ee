"""What a report shows of a recording: ports over time, and maps."""

from __future__ import annotations

import io
from pathlib import Path

from testbed.recording.format import FILE, RECORD, TICKS_PER_S, Kind
from testbed.recording.writer import Writer
from testbed.report.ports import seen
from tests.support.reports import Page, a_run

SETTINGS = {"settings": {"ports": 16, "external_addresses": ["192.0.2.1"]}, "parameters": {"protocol": "tcp"}}


def recording(folder: Path, *events: tuple[float, Kind, int], cut: int = 0) -> None:
    """Write a recording of a gateway with one address; each event has its seconds, kind and port."""
    file = io.BytesIO()
    how = {"gateways": {"gateway": {"how": "its own events"}}}
    writer = Writer(file, {"scenario": "any", **how})
    writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
    writer.text(0, "table", subscribers=[[1, "gateway", "10.0.0.1"]])
    for at, kind, port in events:
        writer.events(RECORD.pack(round(at * TICKS_PER_S), kind, 0, 1, port, 1))
    writer.tick(100.0)
    writer.end(12.0, verdict="pass")
    data = file.getvalue()
    (folder / FILE).write_bytes(data[: len(data) - cut])


FILLED = [
    *((1 + port / 100, Kind.ALLOCATED, 1024 + port) for port in range(16)),
    *((2.0 + number / 10, Kind.REFUSED, 0) for number in range(3)),
    *((6.0, Kind.RELEASED, 1024 + port) for port in range(8)),
    *((7.0, Kind.FREED, 1024 + port) for port in range(4)),
]


def test_a_recording_shows_the_ports_over_time_and_as_maps(tmp_path: Path) -> None:
    """Twelve maps, and the fullest; 16 ports are a square."""
    recording(tmp_path, *FILLED)

    found = seen(tmp_path, a_run(**SETTINGS))

    (over_time,) = found.over_time
    assert "At most 16 ports had a mapping at once." in over_time.text
    assert "3 packets that could begin a connection were refused, at the marks" in over_time.text
    assert "all 16 ports" in Page.of(over_time.picture).text
    assert over_time.picture.count('class="mark"') == 3
    assert [(each.width, each.height) for each in (*found.full, *found.strip)] == [(4, 4)] * (1 + len(found.strip))
    (fullest,) = found.full
    assert "gateway 192.0.2.1 TCP, at its fullest" in fullest.title
    assert "16 in use" in fullest.text
    assert found.strip[-1].text.endswith("4 free, 8 in use, 4 resting")
    assert found.notes == ["gateway was watched by its own events."]


def test_a_port_that_several_mappings_share_is_one_port(tmp_path: Path) -> None:
    """It is in use until the last of them ends, and a release that fits to nothing changes nothing."""
    shared = [(1 + number / 10, Kind.ALLOCATED, 1024 + number % 8) for number in range(16)]
    ended = [(3 + number / 10, Kind.RELEASED, 1024 + number % 8) for number in range(8)]
    recording(tmp_path, (0.5, Kind.RELEASED, 1030), *shared, *ended, (5.0, Kind.ALLOCATED, 1035))

    (over_time,) = seen(tmp_path, a_run(**SETTINGS)).over_time

    assert "At most 9 ports had a mapping at once." in over_time.text
    assert "all 16 ports" in Page.of(over_time.picture).text


def test_a_run_without_a_recording_says_so(tmp_path: Path) -> None:
    """So does one whose recording is damaged, or has no event of a port."""
    assert "has no recording" in seen(tmp_path, a_run()).lacking
    (tmp_path / FILE).write_bytes(b"no gzip")
    assert "cannot be read" in seen(tmp_path, a_run()).lacking
    recording(tmp_path)
    assert "is not known" in seen(tmp_path, a_run()).lacking


def test_a_recording_that_is_cut_off_shows_what_came_before(tmp_path: Path) -> None:
    """And the page says so."""
    recording(tmp_path, *FILLED, cut=30)

    assert "The recording is cut off before the run's end." in seen(tmp_path, a_run(**SETTINGS)).notes


def test_the_same_recording_makes_the_same_bytes(tmp_path: Path) -> None:
    """Maps too."""
    recording(tmp_path, *FILLED)

    assert seen(tmp_path, a_run(**SETTINGS)) == seen(tmp_path, a_run(**SETTINGS))


def test_a_map_has_the_ports_of_several_ranges(tmp_path: Path) -> None:
    """One after the other, without those between them, nor those that the gateway has for itself."""
    recording(
        tmp_path,
        *((1.0, Kind.ALLOCATED, port) for port in (4096, 4099, 4100, 5000, 8193)),
        (2.0, Kind.RELEASED, 8193),
    )
    ports = {"ports": ["4096-4100", "8192-8193"], "reserved_ports": ["4099"], "external_addresses": ["192.0.2.1"]}

    found = seen(tmp_path, a_run(settings=ports, parameters={"protocol": "tcp"}))

    assert found.numbers.startswith(
        "A cell is a port of one of 3 ranges (4096-4098, 4100, 8192-8193), and the numbers"
    )
    assert found.full[0].text.startswith("6 ports at")
    assert found.full[0].text.endswith("3 free, 3 in use")
    assert "all 6 ports" in Page.of(found.over_time[0].picture).text


def test_a_map_of_settings_that_make_no_sense_has_every_port(tmp_path: Path) -> None:
    """Results may come from anywhere."""
    recording(tmp_path, *FILLED)

    found = seen(tmp_path, a_run(settings={"ports": [["x"]], "reserved_ports": 7.5}))

    assert found.numbers.startswith("A cell is a port: the first is 1024, and the numbers")
    assert found.full[0].text.startswith("64,512 ports at")
