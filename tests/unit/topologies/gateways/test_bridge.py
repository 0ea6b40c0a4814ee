"""One `ovs-vsctl` for all ports of a bridge."""

from __future__ import annotations

import sys

import pytest

from topologies.gateways.bridge import output, patiently, ports_first


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (
            "-- add-br b -- set bridge b x=1 -- add-port b p1 -- set Interface p1 y=1 -- add-port b p2",
            "add-br b -- add-port b p1 -- add-port b p2 -- set bridge b x=1 -- set Interface p1 y=1",
        ),
        (
            "--no-wait -- --id=@new create T a=1 -- set T . a=@new",
            "--no-wait -- --id=@new create T a=1 -- set T . a=@new",
        ),
        ("get T . a", "get T . a"),
    ],
    ids=["what is set comes last, in its order", "options stay first", "one command"],
)
def test_ports_come_before_what_is_set_of_them(given: str, ordered: str) -> None:
    """Nothing is lost, and each kind keeps its order."""
    assert ports_first(given.split()) == ordered.split()


def test_a_program_of_the_switch_does_not_get_the_ctrl_c_of_a_prompt() -> None:
    """It is in a session of its own, so that a terminal's keys are not for it."""
    assert output(sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())") == "True\n"


def test_a_switch_gives_up_no_controller() -> None:
    """By default it breaks a connection off that is silent for ten seconds, as on a busy machine."""
    given = "--id=@c create Controller target=tcp:127.0.0.1:6653 max_backoff=1000 -- add-br b"

    words = patiently(given.split())

    assert " ".join(words) == given.replace("1000", "1000 inactivity_probe=0")
    assert patiently(["get", "T"]) == ["get", "T"]
