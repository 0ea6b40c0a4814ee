"""The scenario two-nats in a real lab."""

from __future__ import annotations

from pathlib import Path

from testbed.recording import Event
from tests.emulation.conftest import BROKEN, Run
from tests.support.recordings import recording_of

SIZES = ("ports=11", "home_ports=8", "beyond=2", "clients=4", "on_exhaustion=icmp")
SMALL = [word for size in SIZES for word in ("--set", size)]


def test_a_client_can_tell_which_of_two_nats_ran_out(run: Run, tmp_path: Path) -> None:
    """First a home's NAT runs out, while a neighbour gets through, then the carrier's. Errors show which it is."""
    finished = run("run", "two-nats", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.check("errors while home-a is full")["observed"] == ["10.1.255.254"]
    assert finished.check("errors while carrier is full")["observed"] == ["100.64.255.254"]
    recorded = recording_of(finished.result, tmp_path)
    names = {"home-a", "home-b", "carrier"}
    assert set(recorded.header["gateways"]) == names
    assert {event.gateway for event in recorded if isinstance(event, Event)} == names


def test_nats_with_more_ports_than_declared_are_found_out(run: Run) -> None:
    """Mutation: every NAT has all ports that there are, so none runs out."""
    finished = run("run", "two-nats", *SMALL, "--gateway", f"{BROKEN}:Boundless", "--json")

    assert finished.status == 1
    assert any(claim.startswith("home-a: exactly 8") for claim in finished.failed)
    assert any(claim.startswith("carrier: exactly") for claim in finished.failed)


def test_a_leak_between_home_and_carrier_is_found_out(run: Run) -> None:
    """Mutation: one home lets packets pass untranslated. The carrier translates them, so no server sees that."""
    finished = run("run", "two-nats", *SMALL, "--gateway", f"{BROKEN}:LeakyHome", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "no packet left untranslated" in finished.failed


def test_errors_from_another_address_are_found_out(run: Run) -> None:
    """Mutation: all NATs send errors from one address, so that a client cannot see which of them was full."""
    finished = run("run", "two-nats", *SMALL, "--gateway", f"{BROKEN}:Signing", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.failed == [
        "senders of the errors while home-a is full: its own address",
        "senders of the errors while carrier is full: its own address",
    ]
