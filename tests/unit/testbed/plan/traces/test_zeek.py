"""Zeek's conn.log, with tabs and as JSON."""

from __future__ import annotations

import json

import pytest

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.record import Record, TraceError
from testbed.plan.traces.zeek import FIELDS, read

HEAD = [
    "#separator \\x09",
    "#set_separator\t,",
    "#path\tconn",
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\tconn_state",
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tstring",
]


def line(*, state: str = "SF", proto: str = "tcp", orig: str = "192.168.1.9", duration: str = "2.5") -> str:
    """Return a connection."""
    return f"1732874400.5\tC1\t{orig}\t40000\t198.51.100.1\t443\t{proto}\tssl\t{duration}\t{state}"


def test_a_connection_is_an_attempt_with_its_whole_life() -> None:
    """Start, start plus duration, and how it ended."""
    assert read([*HEAD, line()]).records == [
        Record(
            1732874400.5,
            1732874403.0,
            Protocol.TCP,
            Endpoint.parse("192.168.1.9:40000"),
            Endpoint.parse("198.51.100.1:443"),
            Ending.FIN,
        )
    ]


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        ("SF", Ending.FIN),
        ("S0", Ending.UNANSWERED),
        ("REJ", Ending.RESET),
        ("RSTO", Ending.RESET),
        ("RSTR", Ending.RESET),
        ("S1", Ending.SILENCE),
        ("OTH", Ending.SILENCE),
    ],
)
def test_how_it_ended_decides_about_the_timer(state: str, ending: Ending) -> None:
    """Zeek's `conn_state` in the NAT's words."""
    assert read([*HEAD, line(state=state)]).records[0].ending is ending


def test_a_datagram_ends_in_silence_and_may_have_no_duration() -> None:
    """Then its first packet is its last."""
    found = read([*HEAD, line(proto="udp", duration="-", state="S0")]).records[0]

    assert (found.protocol, found.ending, found.ends - found.at) == (Protocol.UDP, Ending.SILENCE, 0)


def test_as_json_it_says_the_same() -> None:
    """An object on each line; fields that are not needed may be missing."""
    values = dict(zip(FIELDS, (1.5, "10.0.0.1", 4000, "198.51.100.1", 53, "udp", 0.25, "SF"), strict=True))
    without = {key: value for key, value in values.items() if key != "duration"}
    found = read(map(json.dumps, (values, without))).records

    assert [(each.at, each.ends, each.destination) for each in found] == [
        (1.5, 1.75, Endpoint.parse("198.51.100.1:53")),
        (1.5, 1.5, Endpoint.parse("198.51.100.1:53")),
    ]


def test_what_is_none_of_a_nat_s_business_is_left_out_and_counted() -> None:
    """Other protocols, IPv6, hosts outside, and what stays inside."""
    lines = [
        line(proto="icmp"),
        line(orig="2001:db8::1").replace("198.51.100.1", "2001:db8::2"),
        line(orig="203.0.113.9"),
        line().replace("198.51.100.1", "192.168.1.10"),
    ]
    trace = read([*HEAD, *lines])

    assert trace.records == []
    assert trace.left_out == {
        "neither TCP nor UDP": 1,
        "IPv6": 1,
        "not from an inside host": 1,
        "to an inside host": 1,
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line()], "line 1: there is no line with #fields before it"),
        (["#fields\tts\tuid"], "line 1: conn.log lacks the field id.orig_h"),
        ([*HEAD, line() + "\tmore"], "line 6: it has 11 fields, and #fields names 10"),
        ([*HEAD, line(state="SX")], "line 6: conn_state 'SX' is none of SF, S0"),
        ([*HEAD, line(orig="192.168.1")], "line 6: '192.168.1' does not appear to be"),
        ([*HEAD, line().replace("40000", "70000")], "line 6: '70000' is no port"),
        ([*HEAD, line(duration="-3")], "line 6: duration=-3 is no time"),
        ([*HEAD, line(duration="nan")], "line 6: duration=nan is no time"),
        ([r"#separator \x0", line()], r"line 1: #separator '\\x0' is no character"),
        (['{"ts": 1'], "line 1: it is no JSON"),
        (['{"ts": 1}'], "line 1: there is no id.orig_h"),
    ],
)
def test_a_malformed_log_is_refused_with_line_and_reason(lines: list[str], message: str) -> None:
    """The first line that is wrong."""
    with pytest.raises(TraceError) as refused:
        read(lines)

    assert str(refused.value).startswith(message)
