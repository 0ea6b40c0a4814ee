r"""A campus: hundreds of hosts at access switches, all on one LAN behind one NAT gateway.

     alice    10.0.0.1 --+                                                    +-- server
     erin     10.0.0.5 --+-- [access1] --+                                    |
       ...             --+               |                                    |
     bob      10.0.0.2 --+-- [access2] --+                                    |
       ...             --+               +-- 10.0.255.254 [gateway] 192.0.2.1 +
     carol    10.0.0.3 --+-- [access3] --+                                    |
       ...             --+               |                                    |
     dave     10.0.0.4 --+-- [access4] --+                                    |
       ...             --+                                                    +-- mirror

Each access switch is a plain learning switch with one cable to the gateway, so there is no loop; there are four,
and more for more than 192 clients, so that none has more than 48. Clients are plugged in by turns, and their
number is the end of their address. The servers and the external address (192.0.2.1, more: .2 and up) are as in the
topology home.
"""

from __future__ import annotations

import ipaddress
import math
from typing import Any

from controller.settings import ConfigurationError
from topologies.base import LabTopology, client_name
from topologies.gateways.base import Gateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

LAN = ipaddress.IPv4Network("10.0.0.0/16")
GATEWAY_INSIDE = ipaddress.IPv4Interface("10.0.255.254/16")
FEWEST_SWITCHES, PORTS_OF_A_SWITCH = 4, 48
MOST_CLIENTS = int(GATEWAY_INSIDE.ip) - int(LAN.network_address) - 1


class Campus(LabTopology):
    """Access switches with hundreds of clients behind one gateway, and two outside servers."""

    def build(
        self,
        clients: int = 200,
        gateway: type[Gateway] = OpenFlowGateway,
        gateway_params: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Describe the network with so many clients."""
        if not 1 <= clients <= MOST_CLIENTS:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology campus has addresses for "
                f"1 to {MOST_CLIENTS:,} clients"
            )
        self.gateway(gateway, gateway_params)
        switches = max(FEWEST_SWITCHES, math.ceil(clients / PORTS_OF_A_SWITCH))
        for number in range(1, switches + 1):
            self.access(f"access{number}", GATEWAY_INSIDE)
        for number in range(1, clients + 1):
            address = ipaddress.IPv4Interface((LAN.network_address + number, LAN.prefixlen))
            switch = f"access{(number - 1) % switches + 1}"
            self.client(client_name(number), address, GATEWAY_INSIDE.ip, behind=switch)
        self.two_servers()


topos = {"campus": Campus}  # where Mininet looks for the topologies of a file
