"""Every fact that a gateway declares is tried by some check: a false one turns it red.

The truth is told by the scenarios' own tests. Two facts can be denied without being found out, since less is then
claimed than is true: for these the mutation is a NAT that works otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.emulation.conftest import BROKEN, FILES, PERJURERS, Run
from topologies.gateways import GATEWAYS
from topologies.gateways.behaviour import Behaviour

LINUX = FILES / "broken_linux.py"


class Trial(NamedTuple):
    """A run that must fail, the check that turns red, and a gateway that is not a perjurer."""

    scenario: str
    red: str
    settings: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    gateway: str | None = None


POOL = ("ports=2", "external_addresses=2", "clients=2")
PAIRED = (*POOL, "address_allocation_type=paired")
FEW = ("ports=8", "patience=1.0")
OWN_PORTS = ("ports=512", "client_port_range=1024-2500")
NO_SHORT_WAY = ("mapping_type=edm", "filtering_type=edf")

ALIKE = {
    "mapping": Trial("hole-punching", "alice's NAT maps as declared"),
    "filtering": Trial("hole-punching", "the peers reach each other directly"),
    "overlapping": Trial("port-overlap", "in use toward", FEW),
    "pooling": Trial("address-pool", "alone, one client gets", POOL),
    "finds_every_port_of": Trial("loss-curve", "before the last port", ("ports=512",)),
    "keeps_source_port": Trial("loss-curve", "whose own port was in the range", OWN_PORTS),
    "fills_every_address": Trial("address-pool", "alone, one client gets", POOL),
    "ports_exhausted": Trial("port-overlap", "all the others end by icmp", FEW),
    "state_exhausted": Trial("state-exhaustion", "all the others end by icmp"),
    "icmp_identifiers": Trial("protocols", "ICMP: ", FEW),
    "port_back": Trial("release", "after UDP: the last datagram"),
}
"""The trial of each fact, where all gateways need the same."""

OWN = {
    ("openflow", "filtering"): ALIKE["filtering"]._replace(settings=NO_SHORT_WAY),
    ("openflow", "finds_every_port_of"): ALIKE["finds_every_port_of"]._replace(
        arguments=("--allocator", "linux-like")
    ),
    ("openflow", "fills_every_address"): Trial(
        "address-pool", "times the ports", POOL, gateway=f"{BROKEN}:OneAddress"
    ),
    ("netfilter", "filtering"): ALIKE["filtering"]._replace(settings=("port_allocation_type=random",)),
    ("netfilter", "pooling"): Trial(
        "address-pool",
        "every client keeps",
        (*POOL, "address_allocation_type=paired"),
        gateway=f"{LINUX}:Restless",
    ),
    ("ovs-ct", "fills_every_address"): Trial(
        "address-pool", "times the ports", POOL, gateway=f"{BROKEN}:OneAddressTracked"
    ),
    ("ovs-ct", "port_back"): ALIKE["port_back"]._replace(settings=("tcp_idle_timeout=24",)),
}


@pytest.mark.parametrize("fact", list(Behaviour.__dataclass_fields__))
@pytest.mark.parametrize("gateway", list(GATEWAYS))
def test_what_is_declared_falsely_is_found_out(run: Run, gateway: str, fact: str) -> None:
    """The run fails, by the check that tries this fact."""
    trial = OWN.get((gateway, fact), ALIKE[fact])
    perjurer = f"{PERJURERS}:{gateway}_{fact}".replace("-", "_")
    sets = [word for setting in trial.settings for word in ("--set", setting)]
    chosen = ("--gateway", trial.gateway or perjurer, *sets, *trial.arguments)
    finished = run("run", trial.scenario, *chosen, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert any(trial.red in claim for claim in finished.failed), finished.failed
