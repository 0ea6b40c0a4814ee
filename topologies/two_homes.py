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

`internet` is a plain router, which translates nothing. The external addresses of both NATs are on its links, and
it asks for them by ARP. So each home reaches the other's external endpoints as it reaches the server. Clients live
in home a and home b by turns, and a client's number is the end of its address.

The NAT under test is gateway-a, with the external addresses of the settings (192.0.2.1 and up). gateway-b always
has the one address 203.0.113.1, and otherwise the same settings, unless others are chosen for it. On its link each
NAT has an address of its own as well, at .253.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from controller.settings import ConfigurationError
from topologies.addresses import host_of
from topologies.base import Topology, client_name
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

GATEWAY_HOST = 0xFFFE
"""A home's gateway is at .255.254 of its network."""
UPLINK_HOST, NEXT_HOP_HOST = 253, 254


@dataclass(frozen=True, slots=True)
class HomeNetwork:
    """A home: its gateway, LAN and link to the Internet. `external` is None where it comes from the settings."""

    gateway: str
    lan: ipaddress.IPv4Network
    link: ipaddress.IPv4Network
    external: str | None


HOMES = (
    HomeNetwork(
        "gateway-a", ipaddress.IPv4Network("10.1.0.0/16"), ipaddress.IPv4Network("192.0.2.0/24"), external=None
    ),
    HomeNetwork(
        "gateway-b",
        ipaddress.IPv4Network("10.2.0.0/16"),
        ipaddress.IPv4Network("203.0.113.0/24"),
        external="203.0.113.1",
    ),
)
SERVER = ("198.51.100.1/24", "198.51.100.2/24")
SERVER_ROUTER = "198.51.100.254"


class TwoHomes(Topology):
    """Two homes, each behind a NAT of its own, a router between them, and a rendezvous server."""

    def build(self, clients: int) -> None:
        """Place the router, then each home at it, and the clients in both homes by turns."""
        if not len(HOMES) <= clients < GATEWAY_HOST:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology two-homes has {len(HOMES)} homes, "
                f"each with one client at least, and addresses for {GATEWAY_HOST - 1:,} clients"
            )
        self.router("internet")
        for home in HOMES:
            self.gateway(home.gateway, external=home.external)
            own, next_hop = host_of(home.link, UPLINK_HOST), host_of(home.link, NEXT_HOP_HOST).ip
            self.uplink(home.gateway, own, next_hop, to="internet")
        for number in range(1, clients + 1):
            home = HOMES[(number - 1) % len(HOMES)]
            router = host_of(home.lan, GATEWAY_HOST).ip
            self.client(client_name(number), host_of(home.lan, number), router, behind=home.gateway)
        self.server("server", SERVER, SERVER_ROUTER, behind="internet")


topos = {"two-homes": TwoHomes}  # where Mininet looks for the topologies of a file
