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

The NAT under test is the carrier's. Its access network 100.64.0.0/16 is of the address space that carriers share
for this (RFC 6598). Each home's NAT has one address there, and the carrier's NAT is its next hop. Clients live in
home a and home b by turns, and a client's number is the end of its address. The servers are those of the topology
home: 198.51.100.1 and .2, 203.0.113.1 and .2. The carrier's external address 192.0.2.1 (more: .2 and up) is on no
link.

All three NATs have the same settings, except for the external addresses and what is chosen for single ones.
"""

from __future__ import annotations

import ipaddress

from controller.settings import ConfigurationError
from topologies.addresses import host_of
from topologies.base import Topology, client_name
from topologies.network.nodes import LINKS as LINKS  # for Mininet's own command: its --link

HOMES = {
    "home-a": ipaddress.IPv4Network("10.1.0.0/16"),
    "home-b": ipaddress.IPv4Network("10.2.0.0/16"),
}
ACCESS = ipaddress.IPv4Network("100.64.0.0/16")
CARRIER_INSIDE = "100.64.255.254"
GATEWAY_HOST = 0xFFFE
"""A home's gateway is at .255.254 of its network."""


class Carrier(Topology):
    """Two homes, each behind a NAT of its own, and both behind a carrier's NAT."""

    def build(self, clients: int) -> None:
        """Place the carrier, then each home behind it, and the clients in both homes by turns."""
        if not len(HOMES) <= clients < GATEWAY_HOST:
            raise ConfigurationError(
                f"parameter clients={clients} is not possible: the topology carrier has {len(HOMES)} homes, each "
                f"with one client at least, and addresses for {GATEWAY_HOST - 1:,} clients"
            )
        self.gateway("carrier")
        for number, name in enumerate(HOMES, start=1):
            own = host_of(ACCESS, number)
            self.gateway(name, external=own.ip)
            self.uplink(name, own, CARRIER_INSIDE, to="carrier")
        homes = list(HOMES.items())
        for number in range(1, clients + 1):
            name, lan = homes[(number - 1) % len(homes)]
            router = host_of(lan, GATEWAY_HOST).ip
            self.client(client_name(number), host_of(lan, number), router, behind=name)
        self.two_servers(behind="carrier")


topos = {"carrier": Carrier}  # where Mininet looks for the topologies of a file
