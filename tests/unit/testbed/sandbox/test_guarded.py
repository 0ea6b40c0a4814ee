"""A program on a host, seen from the other end of its guard's socket."""

from __future__ import annotations

import json
import os
import signal
import socket

from testbed.sandbox.guarded import Guarded
from testbed.sandbox.program import FAILED


def guard() -> tuple[Guarded, socket.socket]:
    """Return a program, and the end of the socket that its guard has."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Guarded(ours), theirs


def test_a_signal_that_came_too_late_does_not_hide_the_status() -> None:
    """The kernel reports such a signal as a reset connection, before the messages that are still there."""
    program, theirs = guard()
    program.signal(signal.SIGTERM)
    theirs.send(json.dumps({"ended": 7}).encode())
    theirs.close()

    assert program.follow() == 7
    assert program.complaint == ""


def test_a_guard_that_is_killed_leaves_a_failure() -> None:
    """With or without a signal that it has not read."""
    program, theirs = guard()
    program.signal(signal.SIGTERM)
    theirs.close()

    assert program.follow() == FAILED
    assert program.complaint == "the network broke"


def test_a_program_that_cannot_be_run_has_a_complaint() -> None:
    """With the words of the system."""
    program, theirs = guard()
    for message in ({"failed": [2, "no-such"]}, {"ended": 127}):
        theirs.send(json.dumps(message).encode())

    assert program.follow() == 127
    assert program.complaint == f"no-such: {os.strerror(2)}"
