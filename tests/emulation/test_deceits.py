"""Gateways that deceive every check but one: what they do to long packets, counters, and the order of ports."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, FILES, SMALL, Run

LINUX = FILES / "broken_linux.py"
TRANSFER = "did not arrive as they were sent"
LOST = "no packet was lost"
DAMAGED = "every packet arrived with the content"
FEW = ("--set", "ports=64", "--set", "attempts=72", "--set", "patience=1.0")


@pytest.mark.parametrize(
    ("gateway", "arguments", "red"),
    [
        pytest.param(
            f"{LINUX}:SmallOnly", SMALL, [TRANSFER, LOST], id="drops long packets", marks=pytest.mark.deep
        ),
        pytest.param(
            f"{BROKEN}:Predictable", FEW, ["external ports cannot be guessed"], id="gives random ports in sequence"
        ),
        pytest.param(
            f"{BROKEN}:Exaggerating",
            SMALL,
            ["the gateway agrees: packets dropped at any limit", "the gateway's own counters that are beyond"],
            id="counts drops that were not",
            marks=pytest.mark.deep,
        ),
        pytest.param(
            f"{LINUX}:SmallOnly",
            (*SMALL, "--set", "protocol=udp"),
            [TRANSFER, LOST],
            id="drops long datagrams",
            marks=pytest.mark.deep,
        ),
        pytest.param(
            f"{LINUX}:Scribbling",
            (*SMALL, "--set", "protocol=udp"),
            [TRANSFER, DAMAGED],
            id="changes long datagrams both ways alike",
            marks=pytest.mark.deep,
        ),
    ],
)
def test_a_deceit_turns_its_own_check_red(
    run: Run, gateway: str, arguments: tuple[str, ...], red: list[str]
) -> None:
    """And no other."""
    finished = run("run", "port-exhaustion", *arguments, "--gateway", gateway, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert len(finished.failed) == len(red), finished.failed
    assert all(words in claim for words, claim in zip(red, finished.failed, strict=True)), finished.failed


@pytest.mark.deep
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_nat_that_serves_one_client_well_is_found_out_by_the_others(run: Run, protocol: str) -> None:
    """The first transfer is alice's here, since its connection is the newest; the next one is short, and fails."""
    rogue = ("--gateway", f"{LINUX}:OneClientOnly", "--set", f"protocol={protocol}")
    finished = run("run", "port-exhaustion", *SMALL, *rogue, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check(TRANSFER)["ok"]
    first, second = finished.result["series"]["transfers"]
    assert (first["source"].split(":")[0], first["wrong_back"]) == ("10.0.0.1", 0)
    assert second["size"] < first["size"]
    assert second["wrong_back"] == second["size"]
