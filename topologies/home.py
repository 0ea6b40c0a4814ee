r"""A home, or a small office: hosts on one LAN behind a NAT gateway, and two servers on the Internet.

     alice 10.0.0.1 --+                                     +-- server  198.51.100.1, 198.51.100.2
     bob   10.0.0.2 --+                                     |   gateway 198.51.100.254
     carol 10.0.0.3 --+-- 10.0.255.254 [gateway] 192.0.2.1 -+
       ...            |                                     |
     heidi 10.0.0.8 --+                                     +-- mirror  203.0.113.1, 203.0.113.2
     client9 ...    --+                                         gateway 203.0.113.254

Inside, 10.0.0.0/16 is one LAN; the gateway is its switch as well. The external address 192.0.2.1 (more: .2
and up) is on no link: both servers reach it by their default route.
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


class Home(Topology):
    """Inside hosts behind a gateway, two outside servers with two addresses each."""

    def build(self, clients: int) -> None:
        """Place the clients on one LAN, and the servers on a link each."""
        if not 1 <= clients <= MOST_CLIENTS:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology home has addresses for "
                f"1 to {MOST_CLIENTS:,} clients"
            )
        self.gateway()
        for number in range(1, clients + 1):
            self.client(client_name(number), host_of(LAN, number), GATEWAY_INSIDE)
        self.two_servers()


topos = {"home": Home}  # where Mininet looks for the topologies of a file
