"""The scenario fragments on the real thing: datagrams of which only the first fragment has ports."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

WITHOUT, ORDERLY = (f"{FILES / 'broken_linux.py'}:{name}" for name in ("WithoutFragments", "Orderly"))
SHUFFLED = "datagrams that arrive though their fragments are out of order"


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_large_datagrams_pass_in_whatever_order_their_fragments_come(run: Run, gateway: str) -> None:
    """Both ways, and those of two hosts with one identification as well."""
    finished = run("run", "fragments", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert (
        "the hosts' datagram sockets" not in finished.result["machine"]["busy"]["lost"]
    )  # the judge's own frames


@pytest.mark.deep
def test_a_nat_that_drops_fragments_is_found_out(run: Run) -> None:
    """Mutation: it drops every packet that came in fragments."""
    finished = run("run", "fragments", "--set", "datagrams=1", "--gateway", WITHOUT, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "large datagrams that arrive as they were sent" in finished.failed


@pytest.mark.deep
def test_a_nat_that_wants_the_first_fragment_first_is_found_out(run: Run) -> None:
    """Mutation: it drops the others until the first has come."""
    finished = run("run", "fragments", "--set", "datagrams=2", "--gateway", ORDERLY, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.failed == [SHUFFLED]
