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

Each access switch is a plain learning switch with one cable to the gateway, so there is no loop. There are four,
or as many as it takes to have at most 48 clients at each. Clients are plugged in by turns, and a client's number
is the end of its address. The servers and the external address (192.0.2.1, more: .2 and up) are those of the
topology home.
"""

from __future__ import annotations

import ipaddress
import math
from typing import ClassVar

from controller.settings import ConfigurationError
from topologies.addresses import host_of
from topologies.base import Topology, client_name
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

LAN = ipaddress.IPv4Network("10.0.0.0/16")
GATEWAY_INSIDE = "10.0.255.254"
MOST_CLIENTS = 65_533
"""The addresses from 10.0.0.1 to 10.0.255.253."""
FEWEST_SWITCHES, PORTS_OF_A_SWITCH = 4, 48


class Campus(Topology):
    """Access switches with hundreds of clients behind one gateway, and two outside servers."""

    default_clients: ClassVar[int] = 200

    def build(self, clients: int) -> None:
        """Place the access switches, and plug the clients in by turns."""
        if not 1 <= clients <= MOST_CLIENTS:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology campus has addresses for "
                f"1 to {MOST_CLIENTS:,} clients"
            )
        self.gateway()
        switches = max(FEWEST_SWITCHES, math.ceil(clients / PORTS_OF_A_SWITCH))
        for number in range(1, switches + 1):
            self.access(f"access{number}", f"{GATEWAY_INSIDE}/{LAN.prefixlen}")
        for number in range(1, clients + 1):
            switch = f"access{(number - 1) % switches + 1}"
            self.client(client_name(number), host_of(LAN, number), GATEWAY_INSIDE, behind=switch)
        self.two_servers()


topos = {"campus": Campus}  # where Mininet looks for the topologies of a file
