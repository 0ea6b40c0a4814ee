"""How a TCP connection is followed: the table of RFC 7857, Figure 1, and the timer of each state."""

from __future__ import annotations

import itertools

import pytest

from controller.nat.tcp import TIMERS, TcpEvent, TcpState, TcpTimer, next_state

CHANGES = [
    ("CLOSED", "client SYN", "INIT"),
    ("INIT", "server SYN", "ESTABLISHED"),
    ("INIT", "client FIN", "C FIN RCV"),
    ("INIT", "server FIN", "S FIN RCV"),
    ("INIT", "RST", "TRANS"),
    ("INIT", "the state's timeout", "CLOSED"),
    ("ESTABLISHED", "client FIN", "C FIN RCV"),
    ("ESTABLISHED", "server FIN", "S FIN RCV"),
    ("ESTABLISHED", "RST", "TRANS"),
    ("ESTABLISHED", "idle for the established timeout", "TRANS"),
    ("C FIN RCV", "server FIN", "C FIN + S FIN RCV"),
    ("C FIN RCV", "RST", "TRANS"),
    ("C FIN RCV", "idle for the established timeout", "TRANS"),
    ("S FIN RCV", "client FIN", "C FIN + S FIN RCV"),
    ("S FIN RCV", "RST", "TRANS"),
    ("S FIN RCV", "idle for the established timeout", "TRANS"),
    ("C FIN + S FIN RCV", "the state's timeout", "CLOSED"),
    ("C FIN + S FIN RCV", "client SYN", "INIT"),
    ("TRANS", "data packet", "ESTABLISHED"),
    ("TRANS", "the state's timeout", "CLOSED"),
    ("TRANS", "client SYN", "INIT"),
]


@pytest.mark.parametrize(("state", "event", "after"), CHANGES)
def test_an_event_changes_the_state(state: str, event: str, after: str) -> None:
    """RFC 7857 Figure 1, with RFC 9293 section 3.6.1 for the reopening."""
    assert next_state(TcpState(state), TcpEvent(event)) is TcpState(after)


def test_every_other_event_changes_nothing() -> None:
    """What Figure 1 has no arrow for, such as a segment that was sent again, leaves the state as it is."""
    listed = {(TcpState(state), TcpEvent(event)) for state, event, _ in CHANGES}
    others = [pair for pair in itertools.product(TcpState, TcpEvent) if pair not in listed]

    assert len(others) == 7 * 8 - len(CHANGES)
    assert [pair for pair in others if next_state(*pair) is not pair[0]] == []


def test_each_state_has_its_timer() -> None:
    """RFC 5382 REQ-5: a half-closed connection is in the established phase until both FINs were seen."""
    assert TIMERS == {
        TcpState.INIT: TcpTimer.OPENING,
        TcpState.ESTABLISHED: TcpTimer.ESTABLISHED,
        TcpState.C_FIN_RCV: TcpTimer.ESTABLISHED,
        TcpState.S_FIN_RCV: TcpTimer.ESTABLISHED,
        TcpState.BOTH_FIN_RCV: TcpTimer.CLOSING,
        TcpState.TRANS: TcpTimer.RESET,
    }


def test_the_timers_are_named_as_their_settings() -> None:
    """RFC 8512's names, in snake_case."""
    assert {timer.value for timer in TcpTimer} == {
        "tcp_trans_open_timeout",
        "tcp_idle_timeout",
        "tcp_trans_close_timeout",
        "tcp_rst_timeout",
    }
