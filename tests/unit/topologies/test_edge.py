"""The topology edge: one LAN port, one WAN port, and external addresses on the outside link."""

from __future__ import annotations

import ipaddress

from controller.settings import Settings
from controller.wiring import Side
from topologies.edge import Edge


def test_an_edge_has_one_lan_port_and_one_wan_port_however_many_clients_there_are() -> None:
    """The numbers are 1 and 2, and the access switch has all clients."""
    edge = Edge(clients=50)

    assert [(each.port, each.side) for each in edge.wiring["gateway"]] == [(1, Side.INSIDE), (2, Side.OUTSIDE)]
    assert len(edge.wiring["gateway"][0].hosts) == 50


def test_the_external_address_is_the_wan_port_s_own_and_others_are_beside_it_on_the_link() -> None:
    """So a NAT that masquerades sends from the pool, and the router finds each address of it by ARP."""
    outside = Edge(clients=1).wiring["gateway"][1]

    assert str(outside.address.ip) == str(Settings().external_addresses[0])
    assert outside.next_hop == ipaddress.IPv4Address("192.0.2.254")
    Edge(clients=1).check(Settings.model_validate({"external_addresses": 4}))


def test_the_provider_s_router_has_the_same_mac_address_in_every_run() -> None:
    """A NAT that outlives the run, such as a box, remembers its next hop."""
    cables = {(one, other): cable for one, other, cable in Edge(clients=1).links(withInfo=True)}

    assert cables["isp", "gateway"]["addr1"] == "02:00:c0:00:02:fe"
