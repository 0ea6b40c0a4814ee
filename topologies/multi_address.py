r"""A NAT with a pool of addresses, on a link to its provider's router, which has to ask for each of them.

     alice 10.0.0.1 --+                              .253                            +-- server  198.51.100.1, .2
     bob   10.0.0.2 --+                           192.0.2.1                          |   router  198.51.100.254
     carol 10.0.0.3 --+-- 10.0.255.254 [gateway]  192.0.2.2 -- 192.0.2.254 [provider]+
       ...            |                           192.0.2.3                          |
     heidi 10.0.0.8 --+                           192.0.2.4                          +-- mirror  203.0.113.1, .2
     client9 ...    --+                                                                  router  203.0.113.254

In the topology home the external addresses are on no link. Here they are on the link 192.0.2.0/24. The provider's
plain router sends an ARP request for each of them, and the gateway answers it. The gateway's default route leads
to that router. There are four external addresses unless `external_addresses` is set, and the gateway has
192.0.2.253 for itself.
"""

from __future__ import annotations

import ipaddress
from typing import Any, ClassVar

from controller.settings import ConfigurationError
from topologies.addresses import host_of
from topologies.base import Topology, client_name
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

LAN = ipaddress.IPv4Network("10.0.0.0/16")
GATEWAY_INSIDE = "10.0.255.254"
MOST_CLIENTS = 65_533
"""The addresses from 10.0.0.1 to 10.0.255.253."""
GATEWAY_OUTSIDE = "192.0.2.253/24"
PROVIDER = "192.0.2.254"


class MultiAddress(Topology):
    """Inside hosts behind a gateway with several addresses on a link to its provider, and two outside servers."""

    settings: ClassVar[dict[str, Any]] = {"external_addresses": 4}

    def build(self, clients: int) -> None:
        """Place the clients on one LAN, and the provider between the gateway and the servers."""
        if not 1 <= clients <= MOST_CLIENTS:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology multi-address has addresses for "
                f"1 to {MOST_CLIENTS:,} clients"
            )
        self.gateway()
        for number in range(1, clients + 1):
            self.client(client_name(number), host_of(LAN, number), GATEWAY_INSIDE)
        self.router("provider")
        self.uplink("gateway", GATEWAY_OUTSIDE, PROVIDER, to="provider")
        self.two_servers(behind="provider")


topos = {"multi-address": MultiAddress}  # where Mininet looks for the topologies of a file
