"""The scenario port-overlap in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, PERJURERS, Run

SIZES = ("ports=8", "destinations=3", "beyond=4", "clients=2", "on_exhaustion=icmp")
SMALL = [word for size in SIZES for word in ("--set", size)]
OFF = ("--set", "port_overlapping=off", "--set", "mapping_type=eim", "--set", "filtering_type=eif")


@pytest.mark.parametrize(
    ("protocol", "more", "established"),
    [
        ("tcp", (), 24),
        ("udp", (), 24),
        ("tcp", ("--set", "port_overlapping=address", "--set", "destinations=5"), 32),
        ("tcp", OFF, 8),
    ],
    ids=["endpoint, tcp", "endpoint, udp", "five services at four addresses", "off"],
)
def test_a_port_serves_as_many_destinations_as_the_settings_say(
    run: Run, protocol: str, more: tuple[str, ...], established: int
) -> None:
    """Eight ports make eight connections toward each endpoint, or toward each address, or in all."""
    finished = run("run", "port-overlap", *SMALL, "--set", f"protocol={protocol}", *more, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == established


@pytest.mark.parametrize("more", [(), OFF], ids=["it shares ports", "it shares none"])
def test_a_nat_that_declares_the_opposite_is_found_out(run: Run, more: tuple[str, ...]) -> None:
    """Mutation: what the NAT declares about overlapping is false."""
    finished = run(
        "run", "port-overlap", *SMALL, *more, "--gateway", f"{PERJURERS}:openflow_overlapping", "--json"
    )

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("connections that are established at once")["ok"]
    assert not finished.check("one external endpoint is in use toward")["ok"]


@pytest.mark.parametrize("protocol", ["tcp", pytest.param("udp", marks=pytest.mark.deep)])
def test_a_nat_that_gives_a_port_twice_is_found_out(run: Run, protocol: str) -> None:
    """Mutation: the allocator gives each port to two mappings. Over TCP only the wire shows both clients."""
    chosen = ("--set", f"protocol={protocol}", "--allocator", f"{FILES}/own_strategies.py:Twice")
    finished = run("run", "port-overlap", *SMALL, *chosen, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("no two clients ever shared")["ok"]
    assert finished.result["outcomes"]["shared"] > 0
