"""Which sources are right where packets come out of NATs, and which addresses are a host's own."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

import pytest

from testbed.evidence.stations import exits, stations
from topologies.base import Topology
from topologies.carrier import Carrier
from topologies.home import Home
from topologies.multi_address import MultiAddress
from topologies.two_homes import TwoHomes

DEFAULT = ["192.0.2.1"]


def right(topology: Topology, external: list[str] = DEFAULT) -> dict[tuple[str, bool], set[str]]:
    """Return the right sources by the node and whether it is what leaves there."""
    pools = {
        name: topology.external.get(name, [IPv4Address(each) for each in external]) for name in topology.wiring
    }
    return {(each.netns, each.leaving): spelled(each.right) for each in exits(topology, pools, lambda name: name)}


def spelled(networks: Iterable[object]) -> set[str]:
    """Return networks as text, without the length of one address."""
    return {str(network).removesuffix("/32") for network in networks}


def test_a_server_at_the_nat_sees_its_pool_and_its_address_on_each_link() -> None:
    """It may send an ICMP error from either of its own addresses."""
    own = {"198.51.100.254", "203.0.113.254"}

    assert right(Home(clients=2)) == {
        ("server", False): {"192.0.2.1", *own},
        ("mirror", False): {"192.0.2.1", *own},
    }


def test_a_server_behind_a_router_sees_all_that_is_outside() -> None:
    """Other NATs, other servers and routers are there; the uplink tells the NATs apart."""
    found = right(TwoHomes(clients=2))

    assert found["gateway-a", True] == {"192.0.2.1", "192.0.2.253"}
    assert found["gateway-b", True] == {"203.0.113.1", "203.0.113.253"}
    assert found["server", False] == {
        "192.0.2.1", "192.0.2.253", "192.0.2.254", "203.0.113.1", "203.0.113.253", "203.0.113.254",
        "198.51.100.254", "198.51.100.1", "198.51.100.2",
    }  # fmt: skip


def test_neighbouring_addresses_of_a_pool_are_one_network() -> None:
    """So a filter is as short as it can be."""
    found = right(MultiAddress(clients=2), ["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"])

    assert found["gateway", True] == {"192.0.2.4/30", "192.0.2.253"}


def test_a_home_behind_a_carrier_may_not_use_its_neighbour_s_address() -> None:
    """Each leaves from one address, and the carrier from its pool."""
    found = right(Carrier(clients=2))

    assert (found["home-a", True], found["home-b", True]) == ({"100.64.0.1"}, {"100.64.0.2"})
    assert found["server", False] == {"192.0.2.1", "198.51.100.254", "203.0.113.254"}


@pytest.mark.parametrize(
    ("addresses", "own"), [(1, {"10.0.0.2", "10.0.255.255"}), (4, {"10.0.0.2", "10.0.255.255", "10.64.0.4/30"})]
)
def test_a_host_s_own_are_its_addresses_and_its_broadcasts(addresses: int, own: set[str]) -> None:
    """A client with a network behind it gets what is for that network as well. A server is alone on its link."""
    found = {
        each.netns: each for each in stations(Home(clients=2, addresses_per_client=addresses), lambda name: name)
    }

    assert spelled(found["bob"].own) == own
    assert spelled(found["mirror"].own) == {"203.0.113.0/24"}
    assert {name: each.is_client for name, each in found.items()} == {
        "alice": True,
        "bob": True,
        "server": False,
        "mirror": False,
    }


def test_a_server_behind_a_router_is_alone_on_its_link_as_well() -> None:
    """The network is that of the router's interface."""
    found = {each.netns: each for each in stations(TwoHomes(clients=2), lambda name: name)}

    assert spelled(found["server"].own) == {"198.51.100.0/24"}
    assert spelled(found["alice"].own) == {"10.1.0.1", "10.1.255.255"}
