"""The scenario hole-punching in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, PERJURERS, Run


@pytest.mark.parametrize(
    ("mapping", "filtering", "met"),
    [("eim", "edf", 2), ("edm", "eif", 2), ("adm", "adf", 0)],
)
def test_the_pair_of_behaviours_decides_whether_peers_meet(
    run: Run, mapping: str, filtering: str, met: int
) -> None:
    """They meet if ports do not depend on the peer, or if the NATs let every sender in (RFC 5128)."""
    chosen = ("--set", f"mapping_type={mapping}", "--set", f"filtering_type={filtering}")
    finished = run("run", "hole-punching", *chosen, "--set", "patience=1.5", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == met


def test_a_nat_that_maps_otherwise_than_it_declares_is_found_out(run: Run) -> None:
    """Mutation: the NAT declares endpoint-independent mapping, and takes a new port for each destination."""
    settings = ("--set", "mapping_type=edm", "--set", "filtering_type=edf", "--set", "patience=1.5")
    finished = run("run", "hole-punching", *settings, "--gateway", f"{PERJURERS}:openflow_mapping", "--json")

    assert finished.status == 1
    assert any("alice's NAT maps as declared" in claim for claim in finished.failed)
    assert "the peers reach each other directly" in finished.failed
    assert finished.result["series"]["pair"] == {"foreseen": ["meet"], "observed": "apart"}


def test_a_leak_between_homes_is_found_out(run: Run) -> None:
    """Mutation: packets to the other home pass untranslated, which only the link between the NATs sees."""
    finished = run("run", "hole-punching", "--gateway", f"{BROKEN}:Neighbourly", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "no packet left untranslated" in finished.failed


@pytest.mark.deep
@pytest.mark.parametrize(
    ("mapping", "filtering", "kind", "meet"),
    [
        ("eim", "adf", "openflow", True),
        ("edm", "edf", "openflow", False),
        ("eim", "edf", "netfilter", True),
        ("adm", "adf", "netfilter", False),
    ],
)
def test_the_nats_of_both_sides_decide(run: Run, mapping: str, filtering: str, kind: str, meet: bool) -> None:
    """Home b has endpoint-independent mapping and endpoint-dependent filtering, by settings or by its kind."""
    of_b = ("--set", "gateway-b.filtering_type=edf") if kind == "openflow" else ("--gateway", f"gateway-b={kind}")
    of_a = ("--set", f"gateway-a.mapping_type={mapping}", "--set", f"gateway-a.filtering_type={filtering}")
    finished = run("run", "hole-punching", *of_a, *of_b, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    meeting = "the peers reach each other directly" if meet else "the peers do not reach each other directly"
    assert finished.check(meeting)["observed"] == [meet, meet]


@pytest.mark.deep
def test_homes_of_two_kinds_are_behind_a_carrier(run: Run) -> None:
    """The carrier's ports run out as if all NATs were alike."""
    kinds = ("--topology", "carrier", "--gateway", "home-a=netfilter", "--set", "home-b.filtering_type=edf")
    sizes = ("--set", "ports=16", "--set", "clients=4")
    finished = run("run", "port-exhaustion", *kinds, *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["settings"]["home-b.filtering_type"] == "edf"
