"""The scenarios that fill a NAT, without a network: who makes which attempt, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from controller.settings import FIRST_PORT, ConfigurationError
from scenarios.shared.filling import opening
from testbed.run.choices import Choices
from testbed.run.resolve import resolve

SERVER, SECOND_PORT, MIRROR = ("198.51.100.1", 7), ("198.51.100.1", 8), ("203.0.113.1", 7)


def refusal(scenario: str, *sets: str, gateway: str = "openflow", **choices: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        resolve(scenario, gateway, Choices(sets=list(sets), **choices), datapath="userspace")
    return str(refused.value)


# Attempts


def test_attempts_go_over_the_targets_then_over_the_clients() -> None:
    """Whatever the numbers are, each target gets its share."""
    made = [
        opening(number, number - 1, [0, 1], [SERVER, MIRROR, SECOND_PORT], own_port=False)
        for number in range(1, 7)
    ]

    assert [each.target for each in made] == [SERVER, MIRROR, SECOND_PORT] * 2
    assert [each.client for each in made] == [0, 0, 0, 1, 1, 1]
    assert {each.source_port for each in made} == {0}


@pytest.mark.parametrize("clients", [1, 3, 8])
@pytest.mark.parametrize("targets", [1, 2, 5])
def test_every_attempt_has_a_source_port_of_its_own(clients: int, targets: int) -> None:
    """No two of all hosts have the same number, as long as there are enough."""
    services = [("198.51.100.1", port) for port in range(targets)]
    made = [opening(number, number - 1, range(clients), services, own_port=True) for number in range(1, 2001)]

    assert len({each.source_port for each in made}) == len(made)
    assert all(FIRST_PORT <= each.source_port <= 65535 for each in made)


def test_no_host_uses_a_source_port_twice_when_numbers_run_out() -> None:
    """129,024 attempts from eight hosts to two services: half of the ports of each host."""
    made = [opening(number, number - 1, range(8), [SERVER, MIRROR], own_port=True) for number in range(1, 129_025)]

    assert len({(each.client, each.source_port) for each in made}) == len(made)
    assert set(Counter(each.target for each in made).values()) == {64_512}


# What makes no sense is refused with a sentence


@pytest.mark.parametrize("scenario", ["port-overlap", "protocols", "address-pool"])
@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (["on_exhaustion=evict-lru"], "that is the scenario eviction"),
        (["limit_port_mappings=8"], "or limit_port_mappings=null"),
        (["port_quota_tcp=1"], "or port_quota_tcp=null"),
    ],
)
def test_what_lets_anything_but_the_ports_run_short_is_refused(
    scenario: str, chosen: list[str], words: str
) -> None:
    """Scenarios about ports refuse settings by which something else runs short."""
    assert words in refusal(scenario, *chosen)


@pytest.mark.parametrize(
    ("scenario", "chosen", "words"),
    [
        ("port-overlap", ["external_addresses=2"], "take external_addresses=1"),
        ("port-overlap", ["ports=64512", "clients=1"], "take clients=3, or fewer attempts"),
        ("protocols", ["external_addresses=2"], "take external_addresses=1"),
        ("protocols", ["ports=64512"], "take fewer ports, or less beyond"),
        ("address-pool", ["external_addresses=1"], "take external_addresses=2 or more"),
        ("address-pool", ["clients=3"], "take clients=4 or more"),
        ("address-pool", ["ports=30000"], "take fewer ports, or fewer external_addresses"),
        ("address-pool", ["ports=256", "port_allocation_type=linux-like"], "take ports=128 or fewer"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(scenario: str, chosen: list[str], words: str) -> None:
    """The refusal names the way out."""
    assert words in refusal(scenario, *chosen)
