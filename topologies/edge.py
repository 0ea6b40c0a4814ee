r"""An office behind an edge router: one cable to the inside, one to the outside, and a provider's router beyond.

     alice 10.0.0.1 --+                                                           +-- server  198.51.100.1, .2
     bob   10.0.0.2 --+                                                           |   router  198.51.100.254
     carol 10.0.0.3 --+-- [switch] -- 10.0.255.254 [gateway] 192.0.2.1 --- [isp] -+
       ...            |                                               192.0.2.254 |
     heidi 10.0.0.8 --+                                                           +-- mirror  203.0.113.1, .2
     client9 ...    --+                                                               router  203.0.113.254

The gateway has one LAN port, number 1, and one WAN port, number 2: what an app, a program or a box expects. The
external address 192.0.2.1 (more: .2 and up) is on the outside link, and the gateway answers for it by ARP. The
first of them is the address of its WAN port as well, as in most homes. The default route leads to the provider's
plain router. The access switch is a plain learning switch.
"""

from __future__ import annotations

import ipaddress

from controller.settings import ConfigurationError
from topologies.addresses import host_of
from topologies.base import Topology, client_name
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

LAN = ipaddress.IPv4Network("10.0.0.0/16")
GATEWAY_INSIDE = "10.0.255.254"
MOST_CLIENTS = 65_533
"""The addresses from 10.0.0.1 to 10.0.255.253."""
GATEWAY_OUTSIDE = "192.0.2.1/24"
PROVIDER = "192.0.2.254"


class Edge(Topology):
    """Clients at one switch behind a gateway with one LAN and one WAN port, and two servers behind a router."""

    def build(self, clients: int) -> None:
        """Place the clients at the access switch, and the provider between the gateway and the servers."""
        if not 1 <= clients <= MOST_CLIENTS:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology edge has addresses for "
                f"1 to {MOST_CLIENTS:,} clients"
            )
        self.gateway()
        self.access("switch", f"{GATEWAY_INSIDE}/{LAN.prefixlen}")
        for number in range(1, clients + 1):
            self.client(client_name(number), host_of(LAN, number), GATEWAY_INSIDE, behind="switch")
        self.router("isp")
        self.uplink("gateway", GATEWAY_OUTSIDE, PROVIDER, to="isp")
        self.two_servers(behind="isp")


topos = {"edge": Edge}  # where Mininet looks for the topologies of a file
