"""Packets matched one to one at both ends: which deceit turns which check red, and honest NATs none."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, SMALL, Run

RED = {
    "honest": [],
    "double": ["frames-doubled"],
    "reorder": ["frames-reordered"],
    "delay": ["frames-delayed"],
    "lose": ["frames-lost"],
    "small": ["frames-lost"],
    "flip": ["frames-damaged"],
    "spoil": ["frames-damaged"],
    "ttl": ["frames-rewritten"],
    "no-hop": ["frames-rewritten"],
    "tos": ["frames-rewritten"],
    "ecn": ["frames-rewritten"],
    "fragmentable": ["frames-rewritten"],
    "identification": ["frames-rewritten"],
}
"""The checks that each deceit of `relay.py` turns red, whatever the protocol."""
OF_TCP = {
    "delay-syns": ["frames-delayed"],
    "options": ["frames-rewritten"],
    "window": ["frames-rewritten"],
}


@pytest.mark.parametrize(
    ("gateway", "protocol", "red"),
    [("OpenFlow", "tcp", RED | OF_TCP), ("Netfilter", "udp", RED), ("Tracked", "icmp", RED)],
    ids=["openflow, tcp", "netfilter, udp", "ovs-ct, icmp"],
)
def test_each_deceit_turns_the_check_red_that_is_named_for_it(
    run: Run, gateway: str, protocol: str, red: dict[str, list[str]]
) -> None:
    """No other check turns red with it, and none without a deceit."""
    chosen = ("--gateway", f"{FILES}/lying_cables.py:{gateway}", "--set", f"protocol={protocol}")
    finished = run("run", f"{FILES}/deceits.py", *chosen, "--set", f"deceits={' '.join(red)}", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    found = finished.result["series"]["deceits"]
    assert {deceit: each["red"] for deceit, each in found.items()} == red, found


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "key"),
    [
        ("Doubling", "doubled"),
        ("Reordering", "reordered"),
        ("Delaying", "delayed"),
        ("DelayingSyns", "delayed"),
        ("Losing", "lost"),
        ("Small", "lost"),
        ("Flipping", "damaged"),
        ("Spoiling", "damaged"),
        ("OneTtl", "rewritten"),
        ("NoHop", "rewritten"),
        ("NoTos", "rewritten"),
        ("Congesting", "rewritten"),
        ("Fragmenting", "rewritten"),
        ("OneNumber", "rewritten"),
        ("NoOptions", "rewritten"),
        ("Narrowing", "rewritten"),
    ],
)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_each_deceit_turns_a_run_red(run: Run, gateway: str, key: str, protocol: str) -> None:
    """The check that is named for it fails, and no other of single packets."""
    if protocol == "udp" and gateway in ("DelayingSyns", "NoOptions", "Narrowing"):
        pytest.skip("it treats TCP only")
    lying = ("--gateway", f"{FILES}/lying_cables.py:{gateway}", "--set", f"protocol={protocol}")
    finished = run("run", "port-exhaustion", *SMALL, *lying, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    red = {check["key"] for check in finished.result["checks"] if not check["ok"]}
    assert {each for each in red if each.startswith("frames-")} == {f"frames-{key}"}


def test_a_nat_that_delays_holds_what_it_should_not(run: Run) -> None:
    """The attempts count as held, whatever the scenario asks for."""
    lying = ("--gateway", f"{FILES}/lying_cables.py:DelayingSyns")
    finished = run("run", "port-exhaustion", *SMALL, *lying, "--json")

    assert finished.result["outcomes"]["held"] == 16, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 0


def test_a_run_of_any_scenario_finds_all_deceits_out(run: Run) -> None:
    """Whatever else the scenario sees, each fault has its own check."""
    finished = run("run", "port-exhaustion", *SMALL, "--gateway", f"{FILES}/lying_cables.py:Everything", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    red = {check["key"] for check in finished.result["checks"] if not check["ok"]}
    assert {"frames-doubled", "frames-reordered", "frames-lost", "frames-damaged", "frames-rewritten"} <= red
