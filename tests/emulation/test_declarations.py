"""Every fact that a gateway declares is tried by some check: a false one turns it red.

The truth is told by the scenarios' own tests. Two facts can be denied without being found out, since less is then
claimed than is true: for these the mutation is a NAT that works otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from scenarios.shared.endings import ENDINGS
from testbed.registry import GATEWAYS
from tests.emulation.conftest import BROKEN, FILES, PERJURERS, Run
from topologies.gateways.behaviour import Behaviour

LINUX = FILES / "broken_linux.py"


class Trial(NamedTuple):
    """A run that must fail, the checks that turn red, and a gateway that is not a perjurer."""

    scenario: str
    red: str | tuple[str, ...]
    settings: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    gateway: str | None = None


POOL = ("ports=2", "external_addresses=2", "clients=2")
PAIRED = (*POOL, "address_allocation_type=paired")
FEW = ("ports=8", "patience=1.0")
SMALL = (*FEW, "clients=2")
OWN_PORTS = ("ports=512", "client_port_range=1024-2500")

ALIKE = {
    "mapping": Trial("hole-punching", "alice's NAT maps as declared"),
    "filtering": Trial("hole-punching", "alice's NAT filters as declared"),
    "overlapping": Trial("port-overlap", "is in use toward", FEW),
    "pooling": Trial("address-pool", "connections of the first client alone", POOL),
    "finds_every_port_of": Trial("loss-curve", "refusals among the first", ("ports=2048",)),
    "keeps_source_port": Trial("loss-curve", "that were in the range and free", OWN_PORTS),
    "fills_every_address": Trial("address-pool", "connections of the first client alone", POOL),
    "ports_exhausted": Trial("port-overlap", "all the other attempts end by icmp", FEW),
    "state_exhausted": Trial("state-exhaustion", "all the other attempts end by icmp"),
    "icmp_identifiers": Trial("protocols", "ICMP: all 16 attempts are established", FEW),
    "passes_challenges": Trial("reuse", "bob's connections that get through in the end", ("ports=4",)),
    "port_order": Trial("port-exhaustion", "external ports come in sequence", ("ports=64", "patience=1.0")),
    "port_back": Trial("release", tuple(f"after {words}" for words in ENDINGS.values())),
}
"""The trial of each fact, where all gateways need the same."""

PARTS = {
    "ports_exhausted_evicts": Trial("port-exhaustion", "exactly 10 attempts are established", SMALL),
    "ports_exhausted_holds": Trial("port-exhaustion", "packets held of the refused attempts", SMALL),
}
"""The same of parts of a fact."""

OWN = {
    # A gateway that refuses in silence declares no time.
    ("openflow", "ports_exhausted_after"): Trial(
        "refusal-signals", "seconds until the kernel returns it", ("on_exhaustion=icmp",)
    ),
    ("openflow", "finds_every_port_of"): ALIKE["finds_every_port_of"]._replace(
        arguments=("--allocator", "linux-like")
    ),
    ("openflow", "fills_every_address"): Trial(
        "address-pool", "times the ports", POOL, gateway=f"{BROKEN}:OneAddress"
    ),
    ("netfilter", "pooling"): Trial(
        "address-pool",
        "most external addresses of one client",
        (*POOL, "address_allocation_type=paired"),
        gateway=f"{LINUX}:Restless",
    ),
    ("netfilter", "ports_exhausted_holds"): Trial("hold-and-retry", "clients that sent again where the NAT holds"),
    ("ovs-ct", "icmp_identifiers"): Trial("protocols", "ICMP: exactly 8 attempts are established", FEW),
    ("ovs-ct", "fills_every_address"): Trial(
        "address-pool", "times the ports", POOL, gateway=f"{BROKEN}:OneAddressTracked"
    ),
}

UNSEEN = {("ovs-ct", "ports_exhausted_holds"), *((gateway, "clashes") for gateway in GATEWAYS)}
"""Open vSwitch counts no packet that it holds, and gives no port back so soon that a packet held for it could be
seen. Whether first packets clash where they may is chance: `test_race.py` has a NAT that loses some."""

DEEP = ("port_order", "passes_challenges")
"""Facts that `test_deceits.py` and `test_reuse.py` try as well, by a NAT that works otherwise."""
FIRST = "openflow"
"""The gateway of which every fact is tried each time. Of the others, what needs a trial of its own is."""


def is_deep(gateway: str, fact: str) -> bool:
    """Whether a trial is one of the deep suite: the same check of the same scenario has found out this lie."""
    return fact in DEEP or (gateway != FIRST and (gateway, fact) not in OWN)


CLAIMS_LESS = ("relays", "protocols")
"""Facts by which less is asked of a gateway: `test_slirp.py` denies the first of one that has it."""

EVERY = [(gateway, fact) for gateway in GATEWAYS for fact in (*Behaviour.__dataclass_fields__, *PARTS)]
FACTS = [each for each in EVERY if each not in UNSEEN and each[1] not in CLAIMS_LESS]


@pytest.mark.parametrize(
    ("gateway", "fact"),
    [
        pytest.param(*each, marks=pytest.mark.deep if is_deep(*each) else ())
        for each in [*FACTS, *(own for own in OWN if own not in FACTS)]
    ],
)
def test_what_is_declared_falsely_is_found_out(run: Run, gateway: str, fact: str) -> None:
    """The run fails, by the check that tries this fact."""
    trial = OWN.get((gateway, fact)) or (ALIKE | PARTS)[fact]
    perjurer = f"{PERJURERS}:{gateway.replace('-', '_')}_{fact}"
    sets = [word for setting in trial.settings for word in ("--set", setting)]
    chosen = ("--gateway", trial.gateway or perjurer, *sets, *trial.arguments)
    finished = run("run", trial.scenario, *chosen, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    for red in (trial.red,) if isinstance(trial.red, str) else trial.red:
        assert any(red in claim for claim in finished.failed), (red, finished.failed)
