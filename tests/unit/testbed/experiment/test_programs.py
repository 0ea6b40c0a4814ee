"""What programs find on the hosts of a lab."""

from __future__ import annotations

import json

import pytest

from testbed.experiment.commanded import kept_by
from testbed.experiment.programs import names_of, variables
from testbed.registry import load
from topologies.gateways.behaviour import Behaviour

ADDRESSES = {"alice": ["10.0.0.1"], "client-9": ["10.0.0.9"], "server": ["198.51.100.1", "198.51.100.2"]}


def test_every_address_has_a_name_of_its_own() -> None:
    """So that a program which asks for `server` gets one address."""
    assert names_of(ADDRESSES).splitlines() == [
        "127.0.0.1 localhost",
        "10.0.0.1 alice",
        "10.0.0.9 client-9",
        "198.51.100.1 server",
        "198.51.100.2 server-2",
    ]


def test_variables_tell_hosts_and_addresses() -> None:
    """One for each host, and all as JSON."""
    found = variables("alice", ADDRESSES)

    assert (found["LASTPORT_HOST"], found["LASTPORT_ADDRESS"]) == ("alice", "10.0.0.1")
    assert found["LASTPORT_ADDRESS_CLIENT_9"] == "10.0.0.9"
    assert json.loads(found["LASTPORT_HOSTS"]) == ADDRESSES


def declared(gateway: str, **settings: object) -> Behaviour:
    """Return what a gateway declares."""
    from controller.settings import Settings

    kind = load("gateway", gateway)
    behaviour: Behaviour = kind.declare(Settings(**{**kind.settings, **settings}), kind.Options())
    return behaviour


@pytest.mark.parametrize(
    ("gateway", "settings", "kept"),
    [
        ("openflow", {}, {"tcp", "udp"}),
        ("netfilter", {}, {"tcp"}),
        ("openflow", {"on_exhaustion": "evict-lru"}, set()),
    ],
)
def test_a_nat_that_evicts_keeps_nothing_for_certain(
    gateway: str, settings: dict[str, str], kept: set[str]
) -> None:
    """One that evicts unanswered flows alone keeps connections."""
    assert set(kept_by([declared(gateway, **settings)])) == kept
