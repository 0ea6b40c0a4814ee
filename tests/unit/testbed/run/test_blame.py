"""Refusals in words that blame what the user chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.run.blame import fewest
from testbed.run.choices import Choices
from testbed.run.resolve import resolve


def refusal(scenario: str, *sets: str, gateway: str = "openflow", **choices: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        resolve(scenario, gateway, Choices(sets=list(sets), **choices), datapath="userspace")
    return str(refused.value)


def test_the_fewest_choices_that_are_refused_are_found() -> None:
    """The others have no part in it, though without them something else may be refused."""

    def decide(chosen: Mapping[str, Any]) -> None:
        if {"b", "d"} <= chosen.keys():
            raise ConfigurationError(f"setting x=1 is not possible: of {len(chosen)}")
        raise ConfigurationError("setting y=1 is not possible: of another reason")

    guilty, error = fewest(dict.fromkeys("abcde"), ConfigurationError("setting x=1 is not possible: of 5"), decide)

    assert [*guilty] == ["b", "d"]
    assert str(error) == "setting x=1 is not possible: of 2"


@pytest.mark.parametrize(
    ("scenario", "sets", "choices", "words"),
    [
        (
            "loss-curve",
            ["clients=2", "steps=3"],
            {"profile": "cgn"},
            "clients=2 and profile cgn are not possible with loss-curve, where the profile sets port_quota=1024: ",
        ),
        (
            "port-exhaustion",
            ["external_addresses=3", "patience=3"],
            {},
            "external_addresses=3 is not possible with port-exhaustion, where the default is clients=8: ",
        ),
        (
            "eviction",
            ["clients=4"],
            {"gateway": "netfilter"},
            "gateway netfilter is not possible with eviction, where the scenario sets on_exhaustion=evict-lru: ",
        ),
        (
            "port-exhaustion",
            ["ports=16"],
            {"allocator": "blocks"},
            "ports=16 and port_allocation_type=blocks are not possible with port-exhaustion, where the scenario "
            "sets port_set_size=32: ",
        ),
        (
            "port-exhaustion",
            ["on_exhaustion=hold", "patience=0.5", "clients=4"],
            {},
            "on_exhaustion=hold and patience=0.5 are not possible with port-exhaustion, where the default is "
            "hold_timeout=0.8: ",
        ),
    ],
    ids=["profile", "default", "gateway", "allocator", "patience"],
)
def test_a_default_that_conflicts_is_named_after_what_was_chosen(
    scenario: str, sets: list[str], choices: dict[str, Any], words: str
) -> None:
    """So are a profile and a gateway, and nothing that has no part in it."""
    assert refusal(scenario, *sets, **choices).startswith(words)


def test_a_gateway_that_cannot_is_left_for_another() -> None:
    """Another value of the scenario's own setting would not help."""
    assert refusal("eviction", gateway="ovs-ct").endswith("; take another --gateway")


def test_what_the_user_gave_is_blamed_as_before() -> None:
    """A sentence about a key that was given needs no other words."""
    assert refusal("port-exhaustion", "ports=8", "limit_subscribers=1").startswith("setting limit_subscribers=1 ")
    assert refusal("port-exhaustion", "ports=0").startswith("setting ports=0 is not possible: ")
