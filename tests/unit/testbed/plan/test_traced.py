"""The plan of a trace: what a NAT would have refused of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.plan.chosen import chosen_from
from testbed.plan.traced import of_trace
from testbed.recording.format import FILE, RECORD, TICKS_PER_S, Kind
from testbed.recording.writer import Writer

HEAD = "#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\n"


def zeek(path: Path, connections: list[tuple[float, int, float]]) -> Path:
    """Write a log of connections to one server: start, host, duration."""
    rows = (
        f"{at}\t10.0.0.{host + 1}\t{1024 + number}\t198.51.100.1\t443\ttcp\t{life}\tSF\n"
        for number, (at, host, life) in enumerate(connections)
    )
    path.write_text(HEAD + "".join(rows))
    return path


def plan(path: Path, **given: Any) -> dict[str, Any]:
    """Return the plan of a trace."""
    return of_trace(chosen_from(given, "plain", 1), path)


@pytest.mark.parametrize(
    ("rate", "release", "refuses"),
    [(0.53, 120.0, False), (0.60, 120.0, True), (2.1, 30.0, False), (2.4, 30.0, True)],
)
def test_64_ports_of_a_cloud_s_machine_carry_ports_over_release_time(
    tmp_path: Path, rate: float, release: float, refuses: bool
) -> None:
    """0.53 connections a second to one destination at TIME_WAIT 120 s, and 2.1 at 30 s, each closed at once.

    They come evenly: of a Poisson process with that rate, Erlang B loses some 9 in 100.
    """
    log = zeek(tmp_path / "conn.log", [(number / rate, 0, 0.01) for number in range(600)])
    found = plan(log, port_quota=64, tcp_trans_close_timeout=release)

    assert (found["refused"] > 0) is refuses
    if refuses:
        assert found["limits"].keys() == {"dropped_port_limit_packets"}


def test_a_trace_says_who_was_refused_and_toward_what(tmp_path: Path) -> None:
    """Two hosts, of which one takes all."""
    greedy = [(float(number), 0, 50.0) for number in range(10)]
    log = zeek(tmp_path / "conn.log", [*greedy, (20.0, 1, 5.0), (21.0, 1, 5.0)])
    found = plan(log, ports=8)

    assert (found["offered"], found["refused"]) == (12, 4)
    assert {each["name"]: each["refused"] for each in found["worst"]} == {"10.0.0.1": 2, "10.0.0.2": 2}
    assert found["destinations"] == [
        {"name": "198.51.100.1:443", "offered": 12, "refused": 4, "refused_share": pytest.approx(1 / 3)}
    ]
    assert found["parameters"]["subscribers"] == 2


def test_timers_decide_about_the_same_trace(tmp_path: Path) -> None:
    """RFC 5382's four minutes after a close refuse what four seconds do not."""
    log = zeek(tmp_path / "conn.log", [(float(number), number % 3, 0.5) for number in range(100)])

    assert plan(log, ports=10, tcp_trans_close_timeout=4.0)["refused"] == 0
    assert plan(log, ports=10)["refused"] == 90


def test_a_run_s_own_recording_is_a_trace(tmp_path: Path) -> None:
    """Each mapping that it made, until it closed, and each attempt that it refused."""
    file = io.BytesIO()
    writer = Writer(file, {"started": "2026-11-29T10:00:00+00:00", "gateways": {"gateway": {}}})
    writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
    writer.text(0, "table", subscribers=[[1, "gateway", "10.0.0.1"]])
    events = [
        (1.0, Kind.ALLOCATED, 1024),
        (1.1, Kind.ALLOCATED, 1025),
        (1.2, Kind.REFUSED, 0),
        (5.0, Kind.CLOSING, 1024),
        (9.0, Kind.RELEASED, 1024),
        (9.5, Kind.ALLOCATED, 1024),
    ]
    for at, kind, port in events:
        writer.events(RECORD.pack(round(at * TICKS_PER_S), kind, 0, 1, port, 1))
    writer.end(12.0, verdict="pass")
    (tmp_path / FILE).write_bytes(file.getvalue())

    found = plan(tmp_path, ports=2, tcp_trans_close_timeout=4.0)
    assert (found["offered"], found["refused"]) == (4, 1)
    assert plan(tmp_path / FILE, ports=3, tcp_trans_close_timeout=4.0)["refused"] == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("hello\n", "line 1: it is no trace that can be read; there are Zeek's conn.log"),
        ("", "line 1: it is no trace that can be read"),
        (HEAD, "has no attempt of an inside host (it is empty)"),
        (
            HEAD + "1\t8.8.8.8\t1\t9.9.9.9\t1\ttcp\t1\tSF\n",
            "has no attempt of an inside host (1 not from an inside",
        ),
        (HEAD + "1\t8.8.8.8\t1\n", "line 2: it has 3 fields, and #fields names 8"),
        ("[1.0] [NEW] tcp 6 1 src=10.0.0.1\n", "line 1: there is no sport="),
        (
            HEAD + "1\t10.0.0.1\t1\t9.9.9.9\t1\ttcp\t1\tSF\n9000000\t10.0.0.1\t1\t9.9.9.9\t1\ttcp\t1\tSF\n",
            "lasts 104 days; take a part of it of 40 days at most",
        ),
    ],
)
def test_what_is_no_trace_is_refused_with_line_and_reason(tmp_path: Path, content: str, reason: str) -> None:
    """And its name."""
    path = tmp_path / "trace"
    path.write_text(content)

    with pytest.raises(ConfigurationError) as refused:
        plan(path)

    assert str(refused.value).startswith(f"--trace {path}")
    assert reason in str(refused.value)


def test_a_damaged_recording_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    """With the reason."""
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08nonsense")

    with pytest.raises(ConfigurationError, match=r"cut\.gz"):
        plan(tmp_path / "cut.gz")
    with pytest.raises(ConfigurationError, match="No such file"):
        plan(tmp_path / "none")
