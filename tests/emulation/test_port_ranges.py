"""Several ranges of ports in real labs, as a subscriber of MAP-E has them (RFC 7597)."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

PSID = "ports={psid_offset: 4, psid_len: 8, psid: 0x34}"
FIFTEEN_RANGES = ("port-exhaustion", "--set", PSID)


def test_every_port_of_fifteen_ranges_is_reached_but_the_gateway_s_own(run: Run) -> None:
    """With 4 ports in each range, of which 2 are reserved, there are 58, for real TCP connections."""
    small = ("--set", PSID.replace("8", "10"), "--set", "reserved_ports=[4305, 61648]", "--set", "clients=4")
    finished = run("run", "port-exhaustion", *small, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 58
    assert finished.result["counters"]["ports_allocated"] == 58
    assert finished.result["settings"]["ports"] == {"psid_offset": 4, "psid_len": 10, "psid": 52}


@pytest.mark.deep
@pytest.mark.parametrize("allocator", ["random", "sequential", "preserving", "blocks", "linux-like"])
def test_each_allocator_reaches_all_240_ports(run: Run, allocator: str) -> None:
    """Blocks of 8 ports do not reach from one range into the next."""
    blocks = ("--set", "port_set_size=8", "--set", "clients=5")
    finished = run("run", *FIFTEEN_RANGES, *blocks, "--allocator", allocator, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 240


@pytest.mark.deep
def test_linux_with_a_rule_for_each_range_in_turn_reaches_nearly_all(run: Run) -> None:
    """A fresh pool fills evenly, so that 240 of 240 are reached; nothing is promised of one in use."""
    finished = run("run", *FIFTEEN_RANGES, "--gateway", "netfilter", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert 216 <= finished.result["outcomes"]["established"] <= 240


@pytest.mark.deep
def test_linux_with_rules_one_after_the_other_reaches_one_range(run: Run) -> None:
    """The first rule that matches decides: a packet without a port is dropped, and meets no second rule."""
    gateway = f"{FILES / 'port_ranges.py'}:OneAfterAnother"
    finished = run("run", *FIFTEEN_RANGES, "--gateway", gateway, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


@pytest.mark.deep
def test_a_nat_that_gives_a_port_between_its_ranges_is_caught(run: Run) -> None:
    """It has as many ports as it should, and they are others."""
    gateway = f"{FILES / 'port_ranges.py'}:Elsewhere"
    finished = run("run", *FIFTEEN_RANGES, "--gateway", gateway, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert [each["claim"] for each in finished.result["checks"] if not each["ok"]] == [
        "external endpoints that do not belong to the pool"
    ]
