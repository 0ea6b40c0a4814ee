"""The scenario client-exhaustion in a real lab, at small sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

FILES = Path(__file__).parent / "files"
LIARS = FILES / "lying_gateways.py"
SMALL = ("clients=3", "client_ports=4", "ports=8", "on_exhaustion=icmp")
SIZE = [word for setting in SMALL for word in ("--set", setting)]


def test_the_clients_own_shortage_is_told_from_the_nats(run: Run) -> None:
    """Alice gets EADDRNOTAVAIL without a packet while the NAT has ports. Then the NAT refuses every host."""
    finished = run("run", "client-exhaustion", *SIZE, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    told = [row["told"] for row in finished.result["series"]["refusals"]]
    assert told[:3] == ["EADDRNOTAVAIL"] * 3
    assert told[3:] == ["EHOSTUNREACH, ICMP 3/13 from 10.0.255.254"] * 2


@pytest.mark.parametrize(
    ("gateway", "red"),
    [
        ("Stingy", "alice's connections when alice's kernel has no port"),
        ("Endless", "bob's and carol's connections when the NAT is full"),
    ],
)
def test_a_nat_with_other_than_its_ports_is_noticed(run: Run, gateway: str, red: str) -> None:
    """With fewer ports than alice has, the NAT refuses alice. With more than declared, it refuses no host."""
    finished = run("run", "client-exhaustion", *SIZE, "--gateway", f"{LIARS}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check(red)["ok"]


def test_a_client_that_has_ports_enough_is_noticed(run: Run) -> None:
    """The client's kernel refuses no connection, and its SYNs leave the host."""
    finished = run("run", f"{FILES / 'other_clients.py'}:Unlimited", *SIZE, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert set(finished.failed) >= {
        "alice's connections when alice's kernel has no port",
        "SYNs that leave alice when alice's kernel has no port",
        "SYNs that reach the server when alice's kernel has no port",
    }


def test_a_client_without_ports_is_not_taken_for_one_that_the_nat_refused(run: Run) -> None:
    """When the NAT is full, bob has no port left either, and the run breaks off with a sentence about that."""
    finished = run("run", f"{FILES / 'other_clients.py'}:AllLimited", *SIZE, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert "failed by itself, and not by the NAT" in finished.result["error"]


def test_a_nat_that_is_smaller_than_the_client_is_refused(run: Run) -> None:
    """Such a NAT would be full first, so a sentence refuses the run before anything starts."""
    finished = run("run", "client-exhaustion", "--set", "ports=16", "--json")

    assert finished.status == 2
    assert "client_ports=16" in finished.complaints
