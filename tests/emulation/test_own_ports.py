"""The scenario own-ports on the real thing: the ports of the gateway itself are never given."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, Run

GIVEN = "ports of the gateway's own that were given"
QUICK = ("--set", "patience=1.0")


@pytest.mark.deep
@pytest.mark.parametrize(
    "chosen",
    [
        (),
        ("--gateway", "netfilter"),
        ("--gateway", "ovs-ct"),
        ("--set", "protocol=tcp", "--set", "ports=33", "--set", "reserved_ports=[1024,1040-1043]"),
        ("--allocator", "preserving"),
    ],
    ids=["openflow", "netfilter", "ovs-ct", "several", "keeps source ports"],
)
def test_every_port_is_given_but_the_gateway_s_own(run: Run, chosen: tuple[str, ...]) -> None:
    """Though the hosts ask from these very source ports, and no other port is left."""
    finished = run("run", "own-ports", *QUICK, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.parametrize("protocol", ["udp", pytest.param("tcp", marks=pytest.mark.deep)])
def test_a_nat_that_gives_its_own_ports_away_is_found_out(run: Run, protocol: str) -> None:
    """Mutation: it knows nothing of the ports that are reserved."""
    chosen = ("--set", f"protocol={protocol}")
    finished = run("run", "own-ports", *QUICK, *chosen, "--gateway", f"{BROKEN}:Hospitable", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.check(GIVEN)["observed"] == [1024]
    # A train of the judge's came to a client's socket that nobody read. A strained machine is no excuse by that.
    assert "the hosts' datagram sockets" not in finished.result["machine"]["busy"]["lost"]
