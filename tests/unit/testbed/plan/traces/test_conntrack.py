"""Events of connection tracking."""

from __future__ import annotations

import pytest

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.conntrack import read
from testbed.plan.traces.record import TraceError

PAIR = "src=10.0.0.1 dst=198.51.100.1 sport=40000 dport=443"
BACK = "src=198.51.100.1 dst=192.0.2.1 sport=443 dport=5000"


def event(at: float, kind: str, words: str = "6 120", state: str = "", *, protocol: str = "tcp") -> str:
    """Return a line as conntrack -E -o timestamp prints it."""
    return f"[{at:.6f}]\t [{kind}] {protocol}      {words} {state} {PAIR} {BACK} [ASSURED]"


def test_a_connection_ends_with_the_fins_and_not_with_its_entry() -> None:
    """The entry stays for its timer, which is the NAT's."""
    lines = [
        event(100, "NEW", state="SYN_SENT"),
        event(100.1, "UPDATE", state="ESTABLISHED"),
        event(130, "UPDATE", state="FIN_WAIT"),
        event(130.2, "UPDATE", state="LAST_ACK"),
        event(130.3, "UPDATE", state="TIME_WAIT"),
        event(250, "DESTROY"),
    ]
    (found,) = read(lines).records

    assert (found.at, found.ends, found.ending) == (100, 130.2, Ending.FIN)
    assert found.source == Endpoint.parse("10.0.0.1:40000")
    assert found.destination == Endpoint.parse("198.51.100.1:443")


@pytest.mark.parametrize(
    ("events", "ending", "ends"),
    [
        ([("UPDATE", "CLOSE")], Ending.RESET, 1),
        ([], Ending.UNANSWERED, 0),
        ([("UPDATE", "ESTABLISHED")], Ending.SILENCE, 1),
    ],
    ids=["reset", "unanswered", "silent"],
)
def test_other_endings(events: list[tuple[str, str]], ending: Ending, ends: float) -> None:
    """By the last state before the entry goes."""
    lines = [event(0, "NEW", state="SYN_SENT"), *(event(1, kind, state=state) for kind, state in events)]
    (found,) = read([*lines, event(500, "DESTROY")]).records

    assert (found.ending, found.ends) == (ending, ends)


def test_what_is_still_there_at_the_end_lives_until_then() -> None:
    """The end of the trace is the last that is known of it."""
    lines = [event(0, "NEW", state="SYN_SENT"), event(1, "UPDATE", state="ESTABLISHED"), event(90, "NEW", "17 30")]
    other = lines[2].replace("tcp", "udp").replace("10.0.0.1", "10.0.0.2")
    found = read([*lines[:2], other]).records

    assert [(each.protocol, each.ends) for each in found] == [(Protocol.TCP, 90), (Protocol.UDP, 90)]


def test_what_was_there_before_is_left_out_and_counted() -> None:
    """So are other protocols and IPv6."""
    icmp = event(1, "NEW", "1 30", protocol="icmp")
    six = event(1, "NEW").replace("10.0.0.1", "2001:db8::1")

    assert read([event(0, "DESTROY"), icmp, six]).left_out == {
        "begun before the trace": 1,
        "neither TCP nor UDP over IPv4": 2,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[NEW] tcp 6 120 SYN_SENT src=10.0.0.1", "it is no event; write them with `conntrack -E -o timestamp`"),
        ("[1.5] [NEW] tcp 6 120 SYN_SENT src=10.0.0.1 dst=198.51.100.1 sport=1", "there is no dport="),
        ("[1.5] [NEW] tcp 6 120 SYN_SENT src=10.0.0 dst=198.51.100.1 sport=1 dport=2", "Expected 4 octets"),
        ("[1.5] [NEW] tcp 6 120 SYN_SENT src=10.0.0.1 dst=198.51.100.1 sport=1 dport=x", "'x' is no port"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number_and_the_reason(line: str, message: str) -> None:
    """Empty lines count."""
    with pytest.raises(TraceError) as refused:
        read(["", line])

    assert str(refused.value).startswith(f"line 2: {message}")
