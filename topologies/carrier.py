r"""Two homes behind a carrier: each packet is translated twice, by the home's NAT and by the carrier's (RFC 6888).

     alice 10.1.0.1 --+                                                                         +-- server
     carol 10.1.0.3 --+-- 10.1.255.254 [home-a] 100.64.0.1 --+                                  |
       ...            |                                      |                                  |
     client9 ...    --+                                      +-- 100.64.255.254 [carrier] ------+
                                                             |                    192.0.2.1     |
     bob   10.2.0.2 --+                                      |                                  |
     dave  10.2.0.4 --+-- 10.2.255.254 [home-b] 100.64.0.2 --+                                  +-- mirror
       ...            |
     client10 ...   --+

The NAT under test is the carrier's. Its access network, 100.64.0.0/16, is of the shared address space for such
(RFC 6598): each home's NAT has one address there, and the carrier's as its next hop. Clients live in home a and
home b by turns, and their number is the end of their address. The servers are those of the topology home:
198.51.100.1 and .2, 203.0.113.1 and .2. The carrier's external address 192.0.2.1 (more: .2 and up) is on no link.

Of settings, all three NATs have the same, but for the external addresses.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from controller.settings import ConfigurationError
from topologies.base import LabTopology, client_name
from topologies.gateways.base import Gateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

HOMES = {
    "home-a": ipaddress.IPv4Network("10.1.0.0/16"),
    "home-b": ipaddress.IPv4Network("10.2.0.0/16"),
}
ACCESS = ipaddress.IPv4Network("100.64.0.0/16")
CARRIER_INSIDE = ipaddress.IPv4Address("100.64.255.254")
GATEWAY_HOST = 0xFFFE
"""Where in a home's network its gateway is: at .255.254."""


class Carrier(LabTopology):
    """Two homes, each behind a NAT of its own, and both behind a carrier's NAT."""

    def build(
        self,
        clients: int = 8,
        gateway: type[Gateway] = OpenFlowGateway,
        gateway_params: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Describe the network with so many clients in both homes together."""
        if not len(HOMES) <= clients < GATEWAY_HOST:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology carrier has {len(HOMES)} homes, each "
                f"with one client at least, and addresses for {GATEWAY_HOST - 1:,} clients"
            )
        self.gateway(gateway, gateway_params, name="carrier")
        for number, name in enumerate(HOMES, start=1):
            own = ipaddress.IPv4Interface((ACCESS.network_address + number, ACCESS.prefixlen))
            self.gateway(gateway, gateway_params, name=name, external=[own.ip])
            self.uplink(name, own, CARRIER_INSIDE, to="carrier")
        homes = list(HOMES.items())
        for number in range(1, clients + 1):
            name, lan = homes[(number - 1) % len(homes)]
            address = ipaddress.IPv4Interface((lan.network_address + number, lan.prefixlen))
            self.client(client_name(number), address, lan.network_address + GATEWAY_HOST, behind=name)
        self.two_servers(behind="carrier")


topos = {"carrier": Carrier}  # where Mininet looks for the topologies of a file
