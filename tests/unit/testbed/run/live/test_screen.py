"""The picture of a run fits every size, and the first to go is what is old."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.recording import RECORD, Kind
from testbed.run.live.screen import LAST_PHASES, Size, frame, last_frame
from testbed.run.live.view import RunView
from testbed.run.live.watched import MOST_PHASES, Watched
from tests.unit.testbed.run.live.test_display import FULL, PHASES, gauges

texts = st.text(max_size=60)
counts = st.none() | st.integers(0, 70_000)
ports = st.tuples(texts, texts, st.integers(0, 70_000), counts, counts, counts)
records: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda name: {"kind": "phase", "name": name}, texts),
    st.builds(
        lambda done, total: {"kind": "progress", "done": done, "total": total}, st.integers(), st.integers()
    ),
    st.builds(
        lambda gateway, ports, counters: {
            "kind": "watched",
            "gateway": gateway,
            "ports": ports,
            "counters": counters,
        },
        texts,
        st.lists(ports, max_size=8),
        st.dictionaries(
            st.sampled_from(["dropped_port_packets", "total_sessions", "port_mapping_creations"]), counts
        ),
    ),
    st.builds(lambda claim, ok: {"kind": "check", "check": {"claim": claim, "ok": ok}}, texts, st.booleans()),
)


def watched(*taken: dict[str, Any], place: str = "") -> Watched:
    """Return a run that these records, one a second, are about."""
    run = Watched("port-exhaustion on openflow", place=place)
    run.since(0.0)
    for now, record in enumerate(taken):
        run.take(record, float(now))
    return run


def plain(run: Watched, width: int, height: int, now: float = 9.0) -> list[str]:
    """Return the picture as text."""
    return [line.plain for line in frame(run, Size(width, height), now)]


@settings(max_examples=50, deadline=None)
@given(st.lists(records, max_size=8), st.integers(1, 200), st.integers(1, 60), st.booleans())
def test_no_picture_is_larger_than_its_terminal(
    taken: list[dict[str, Any]], width: int, height: int, ascii_only: bool
) -> None:
    """Whatever is reported: else it would scroll, or fold, and could not be redrawn in its place."""
    run, size = watched(*taken), Size(width, height, ascii_only)

    for lines in (frame(run, size, 99.0), last_frame(run, size, 99.0)[: len(frame(run, size, 99.0))]):
        assert all(line.cell_len <= size.columns for line in lines)
        assert all("\n" not in line.plain and "\x1b" not in line.plain for line in lines)
    assert len(frame(run, size, 99.0)) <= height


def test_what_goes_first_where_there_is_little_room() -> None:
    """Then figures, then ports, then the title. The phase that goes on is last."""
    run = watched(*PHASES, gauges(0), FULL)

    heights = dict.fromkeys(("> fill", "port-exhaustion", "256 in use", "refused packets", "no free port", "✓"), 0)
    for height in range(24, 1, -1):
        for name in heights:
            heights[name] = height if any(name in line for line in plain(run, 80, height)) else heights[name]

    assert sorted(heights, key=lambda name: heights[name]) == list(heights)


@pytest.mark.parametrize(("pools", "lines"), [(2, 4), (5, 10), (6, 6), (30, 11)])
def test_pools_that_are_many_have_a_line_each_and_the_rest_is_summed_up(pools: int, lines: int) -> None:
    """Two lines each, one each, or those for which there is room."""
    rows = [[f"192.0.2.{number}", "tcp", 10, 90, 0, 0] for number in range(1, pools + 1)]
    run = watched(*PHASES, {"kind": "watched", "gateway": "g", "ports": rows, "counters": {}})

    text = plain(run, 80, 24)

    of_pools = [line for line in text if "192.0.2." in line or "in use" in line]
    assert len(of_pools) == lines
    assert ("20 more, with 200 ports in use" in text) is (pools == 30)


def test_what_a_gateway_does_not_tell_is_not_known() -> None:
    """A number of 0 would be a claim."""
    run = watched(*PHASES, {"kind": "watched", "gateway": "mine", "ports": [], "counters": {}})

    text = plain(run, 80, 24)

    assert "ports of mine: not known" in text
    assert "new mappings not known" in text
    assert "refused packets not known" in text


def test_one_of_several_runs_leaves_a_line() -> None:
    """A comparison of 48 runs is read, and not scrolled through."""
    run = watched(*PHASES, place="3 of 48")
    run.end("pass", 7.25)

    assert [line.plain for line in last_frame(run, Size(80, 24), 7.25)] == [
        "3 of 48  PASS   port-exhaustion on openflow, 7.2 s"
    ]


def test_the_phases_of_a_run_that_has_ever_more_of_them_are_bounded() -> None:
    """The newest are kept, all are counted, and each new one has its line."""
    view, run = RunView("endless"), Watched("endless")
    lines: list[str] = []
    for number in range(MOST_PHASES + 30):
        record = {"kind": "phase", "name": f"phase {number}"}
        run.take(record, 1.0)
        view.take(record, 1.0)
        lines += view.news(1.0)

    assert len(run.phases) == MOST_PHASES
    assert run.phases[-1].name == lines[-1].split("  ")[-1] == f"phase {MOST_PHASES + 29}"
    assert len(lines) == 1 + MOST_PHASES + 30
    assert f"  {MOST_PHASES + 30 - LAST_PHASES} more phases" in [
        line.plain for line in last_frame(run, Size(80, 24), 9.0)
    ]


def test_a_rate_is_that_of_the_last_second() -> None:
    """It is not the mean of the whole run, and a controller that begins anew makes none that is negative."""
    run = Watched("run")
    for now, made in ((0.0, 0), (1.0, 1000), (2.0, 1100), (2.5, 1150), (3.0, 1200)):
        run.take({**gauges(0), "counters": {"port_mapping_creations": made}}, now)
    (nat,) = run.nats.values()

    assert nat.rate == pytest.approx(100.0)
    run.take({**gauges(0), "counters": {"port_mapping_creations": 5}}, 3.25)
    assert nat.rate == 0.0


def events(*taken: tuple[Kind, int, int], number: int = 1, first: int = 1024) -> dict[str, Any]:
    """Return a record of events: of each, the kind, protocol, and index of the address, at `number` ports."""
    packed = b"".join(
        RECORD.pack(0, kind, protocol, place, port, 1)
        for port in range(first, first + number)
        for kind, protocol, place in taken
    )
    return {"kind": "events", "gateway": "linux", "data": base64.b64encode(packed).decode()}


KNOWN = (
    {"kind": "recording", "gateways": {"linux": {"knows": ["ALLOCATED", "RELEASED", "FREED"]}}},
    {"kind": "table", "addresses": [[1, "linux", "192.0.2.1"], [2, "linux", "192.0.2.2"]]},
)


def test_ports_that_gauges_do_not_have_are_counted_by_events() -> None:
    """By address and protocol; so is the rate."""
    udp = 1
    run = Watched("run", ports={"linux": 100})
    nothing = {"kind": "watched", "gateway": "linux", "ports": [], "counters": {}}
    steps = (
        (0.0, *KNOWN, nothing),
        (1.0, events((Kind.ALLOCATED, udp, 2), number=40)),
        (2.0, events((Kind.RELEASED, udp, 2), number=10), events((Kind.FREED, udp, 2), number=4)),
        (
            3.0,
            events((Kind.ALLOCATED, udp, 2), number=5, first=2000),
            events((Kind.ALLOCATED, udp, 9), (Kind.FREED, 7, 2)),
        ),
    )
    for now, *records in steps:
        for record in records:
            run.take(record, now)

    assert [tuple(each) for _, each in run.ports] == [("192.0.2.2", "udp", 35, 59, 6, 0)]
    assert run.nats["linux"].rate == pytest.approx(6.0)


def test_a_port_that_mappings_share_is_one_port() -> None:
    """Else a NAT with free ports would have none. It is in use until the last mapping ends."""
    run = Watched("run", ports={"linux": 64}, shared={"linux"})
    twice = events((Kind.ALLOCATED, 0, 1), (Kind.ALLOCATED, 0, 1), number=32)
    own = {"kind": "watched", "gateway": "linux", "ports": [["192.0.2.1", "tcp", 64, 64, 0, 0]], "counters": {}}
    for now, record in enumerate((*KNOWN, twice, own, events((Kind.RELEASED, 0, 1), number=2))):
        run.take(record, float(now))

    assert [tuple(each) for _, each in run.ports] == [("192.0.2.1", "tcp", 32, 32, 0, 0)]
    assert not list(run.events)
    run.take(events((Kind.RELEASED, 0, 1), number=3), 9.0)
    assert [tuple(each) for _, each in run.ports] == [("192.0.2.1", "tcp", 30, 32, 2, 0)]
    run.take(events((Kind.FREED, 0, 1), (Kind.FREED, 0, 1), (Kind.FREED, 0, 1), number=2), 10.0)
    assert [tuple(each) for _, each in run.ports] == [("192.0.2.1", "tcp", 30, 34, 0, 0)]


def test_an_address_that_a_stranger_announces_cannot_control_a_terminal() -> None:
    """It is text, as every name is."""
    table = {"kind": "table", "addresses": [[1, "linux", "\x1b[2J\n"]]}
    run = Watched("run", ports={"linux": 100})
    for record in (KNOWN[0], table, events((Kind.ALLOCATED, 0, 1))):
        run.take(record, 0.0)

    assert any("?[2J? tcp" in line for line in plain(run, 80, 24))


def test_gauges_of_ports_go_before_events() -> None:
    """They are the NAT's own, and complete."""
    run = Watched("run", ports={"linux": 100})
    for record in (*KNOWN, {**gauges(7), "gateway": "linux"}, events((Kind.ALLOCATED, 0, 1), number=9)):
        run.take(record, 0.0)

    assert [each.allocated for _, each in run.ports] == [7]


def test_a_gateway_whose_events_have_no_ports_has_none_that_are_known() -> None:
    """Clients' attempts are events as well, and say nothing of ports."""
    run = Watched("run", ports={"linux": 100})
    knows = {"kind": "recording", "gateways": {"linux": {"knows": ["ATTEMPT"]}}}
    for record in (knows, KNOWN[1], {"kind": "watched", "gateway": "linux", "ports": [], "counters": {}}):
        run.take(record, 0.0)

    assert "ports of linux: not known" in plain(run, 80, 24)
