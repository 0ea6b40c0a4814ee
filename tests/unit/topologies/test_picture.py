"""What a picture of a network shows, from the topology's own wiring."""

from __future__ import annotations

import pytest

from testbed.registry import ours
from topologies.picture import picture


def test_all_clients_at_one_place_are_one_place() -> None:
    """With the first names and the last; the NAT has its addresses on both sides, and those outside."""
    found = picture(ours("topology")["home"](clients=1024), ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])

    clients, gateway, server, mirror = found.places
    assert (clients.kind, clients.count) == ("clients", 1024)
    assert clients.lines == ("alice 10.0.0.1", "bob 10.0.0.2", "carol 10.0.0.3", "...", "client1024 10.0.4.0")
    assert (gateway.kind, gateway.lines) == (
        "nat",
        ("inside 10.0.255.254", "outside 198.51.100.254, 203.0.113.254", "external 192.0.2.1 to 192.0.2.4 (4)"),
    )
    assert [(each.kind, each.lines) for each in (server, mirror)] == [
        ("server", ("198.51.100.1", "198.51.100.2")),
        ("server", ("203.0.113.1", "203.0.113.2")),
    ]
    assert found.links == ((clients.name, "gateway"), ("server", "gateway"), ("mirror", "gateway"))


def test_a_nat_with_an_address_of_its_own_shows_that_one() -> None:
    """The settings are about the NAT under test."""
    found = {place.name: place for place in picture(ours("topology")["two-homes"](), ["192.0.2.9"]).places}

    assert found["gateway-a"].lines[-1] == "external 192.0.2.9"
    assert found["gateway-b"].lines[-1] == "external 203.0.113.1"
    assert (found["internet"].kind, found["internet"].lines) == (
        "router",
        ("192.0.2.254", "203.0.113.254", "198.51.100.254"),
    )


@pytest.mark.parametrize("name", ours("topology"))
def test_every_link_is_between_places_and_every_place_is_linked(name: str) -> None:
    """So the picture hangs together."""
    found = picture(ours("topology")[name](), ["192.0.2.1"])

    names = {place.name for place in found.places}
    assert {end for link in found.links for end in link} == names
    assert len(names) == len(found.places)
