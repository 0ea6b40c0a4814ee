"""Packets matched one to one at both ends: which deceit turns which check red, and honest NATs none."""

from __future__ import annotations

from collections.abc import Iterable

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
    "delay-syns": ["frames-delayed"],
    "lose-first": ["frames-lost"],
    "options": ["frames-rewritten"],
    "window": ["frames-rewritten"],
    "invent": ["frames-unsent"],
}
"""The checks that each deceit of `relay.py` turns red."""
OF_TCP = ("delay-syns", "lose-first", "options", "window", "invent")
OF_TCP_ALONE = ("DelayingSyns", "DelayingMostSyns", "LosingFirst", "NoOptions", "Narrowing", "Inventing")


def tried(run: Run, gateway: str, protocol: str, deceits: Iterable[str]) -> dict[str, list[str]]:
    """Try deceits one after the other in one lab, and return the checks that each turns red."""
    chosen = ("--gateway", f"{FILES}/lying_cables.py:{gateway}", "--set", f"protocol={protocol}")
    finished = run("run", f"{FILES}/deceits.py", *chosen, "--set", f"deceits={' '.join(deceits)}", "--json")

    assert finished.status == 0, [finished.failed, finished.output + finished.complaints]
    return {deceit: each["red"] for deceit, each in finished.result["series"]["deceits"].items()}


def test_each_kind_of_fault_turns_the_check_red_that_is_named_for_it(run: Run) -> None:
    """No other check turns red with it, and none without a deceit."""
    kinds = (
        "honest",
        "double",
        "reorder",
        "delay-syns",
        "lose",
        "lose-first",
        "flip",
        "options",
        "identification",
        "invent",
    )

    assert tried(run, "OpenFlow", "tcp", kinds) == {kind: RED[kind] for kind in kinds}


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["OpenFlow", "Netfilter", "Tracked"])
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_each_deceit_turns_the_check_red_that_is_named_for_it(run: Run, gateway: str, protocol: str) -> None:
    """On every gateway, over every protocol."""
    expected = {deceit: red for deceit, red in RED.items() if protocol == "tcp" or deceit not in OF_TCP}

    assert tried(run, gateway, protocol, expected) == expected


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "key"),
    [
        ("Doubling", "doubled"),
        ("Reordering", "reordered"),
        ("Delaying", "delayed"),
        ("DelayingSyns", "delayed"),
        ("DelayingMostSyns", "delayed"),
        ("Losing", "lost"),
        ("LosingFirst", "lost"),
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
        ("Inventing", "unsent"),
    ],
)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_each_deceit_turns_a_run_red(run: Run, gateway: str, key: str, protocol: str) -> None:
    """The check that is named for it fails, and no other of single packets."""
    if protocol == "udp" and gateway in OF_TCP_ALONE:
        pytest.skip("it treats TCP only")
    lying = ("--gateway", f"{FILES}/lying_cables.py:{gateway}", "--set", f"protocol={protocol}")
    finished = run("run", "port-exhaustion", *SMALL, *lying, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    red = {check["key"] for check in finished.result["checks"] if not check["ok"]}
    assert {each for each in red if each.startswith("frames-")} == {f"frames-{key}"}


def test_any_run_of_any_scenario_finds_out_a_nat_that_lies(run: Run) -> None:
    """Each fault has its own check. Attempts whose SYNs the NAT delays count as held, unless it drops them."""
    finished = run("run", "port-exhaustion", *SMALL, "--gateway", f"{FILES}/lying_cables.py:Everything", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    red = {check["key"] for check in finished.result["checks"] if not check["ok"]}
    assert red == {"frames-doubled", "frames-reordered", "frames-delayed", "frames-rewritten"}
    assert finished.result["outcomes"]["held"] == 16
    assert finished.result["outcomes"]["timeout"] == 8
