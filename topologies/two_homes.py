r"""Two homes, each behind a NAT of its own, and a rendezvous server: where peers want to connect (RFC 5128).

     alice 10.1.0.1 --+                              .253
     carol 10.1.0.3 --+-- 10.1.255.254 [gateway-a] 192.0.2.1 ---- 192.0.2.254 --+
       ...            |                                                         |
     client9 ...    --+                                                     [internet] 198.51.100.254 -- server
                                                                                |              198.51.100.1, .2
     bob   10.2.0.2 --+                                                         |
     dave  10.2.0.4 --+-- 10.2.255.254 [gateway-b] 203.0.113.1 -- 203.0.113.254 +
       ...            |                              .253
     client10 ...   --+

`internet` is a plain router: it translates nothing, and asks by ARP for the external addresses of both NATs, which
are on its links; so each home reaches the other's external endpoints as it reaches the server. Clients live in
home a and home b by turns, and their number is the end of their address.

The NAT under test is gateway-a, with the external addresses of the settings (192.0.2.1 and up); gateway-b always
has one, 203.0.113.1, and else the same settings. On its link each has an address of its own as well, at .253.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError
from topologies.base import LabTopology, client_name
from topologies.gateways.base import Gateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

GATEWAY_HOST = 0xFFFE
"""Where in a home's network its gateway is: at .255.254."""
UPLINK_HOST, NEXT_HOP_HOST = 253, 254


@dataclass(frozen=True, slots=True)
class HomeNetwork:
    """A home: its gateway, its LAN, its link to the Internet; `external` unless they come from the settings."""

    gateway: str
    lan: ipaddress.IPv4Network
    link: ipaddress.IPv4Network
    external: list[ipaddress.IPv4Address] | None


HOMES = (
    HomeNetwork(
        "gateway-a", ipaddress.IPv4Network("10.1.0.0/16"), ipaddress.IPv4Network("192.0.2.0/24"), external=None
    ),
    HomeNetwork(
        "gateway-b",
        ipaddress.IPv4Network("10.2.0.0/16"),
        ipaddress.IPv4Network("203.0.113.0/24"),
        external=[ipaddress.IPv4Address("203.0.113.1")],
    ),
)
SERVER = ("198.51.100.1/24", "198.51.100.2/24")
SERVER_ROUTER = ipaddress.IPv4Address("198.51.100.254")


class TwoHomes(LabTopology):
    """Two homes, each behind a NAT of its own, a router between them, and a rendezvous server."""

    def build(
        self,
        clients: int = 8,
        gateway: type[Gateway] = OpenFlowGateway,
        gateway_params: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Describe the network with so many clients in both homes together."""
        if not len(HOMES) <= clients < GATEWAY_HOST:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology two-homes has {len(HOMES)} homes, "
                f"each with one client at least, and addresses for {GATEWAY_HOST - 1:,} clients"
            )
        self.router("internet")
        for home in HOMES:
            self.gateway(gateway, gateway_params, name=home.gateway, external=home.external)
            own = ipaddress.IPv4Interface((home.link.network_address + UPLINK_HOST, home.link.prefixlen))
            self.uplink(home.gateway, own, home.link.network_address + NEXT_HOP_HOST, to="internet")
        for number in range(1, clients + 1):
            home = HOMES[(number - 1) % len(HOMES)]
            address = ipaddress.IPv4Interface((home.lan.network_address + number, home.lan.prefixlen))
            router = home.lan.network_address + GATEWAY_HOST
            self.client(client_name(number), address, router, behind=home.gateway)
        self.server("server", [ipaddress.IPv4Interface(each) for each in SERVER], SERVER_ROUTER, behind="internet")


topos = {"two-homes": TwoHomes}  # where Mininet looks for the topologies of a file
