"""A topology as a student may write it: two rooms in one address range, and one server.

room1-1 10.7.0.1 --+
room1-2 10.7.0.2 --+-- 10.7.255.254 [gateway] -- shop 198.51.100.7
room2-1 10.7.1.1 --+
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from topologies.base import LabTopology
from topologies.gateways.openflow.gateway import OpenFlowGateway


class Rooms(LabTopology):
    """Clients in two rooms."""

    def build(self, clients: int = 3, gateway: type = OpenFlowGateway, gateway_params: Any = None) -> None:
        """Place the clients in turn in room 1 and room 2."""
        self.gateway(gateway, gateway_params)
        for number in range(clients):
            room, seat = number % 2, number // 2 + 1
            address = IPv4Interface(f"10.7.{room}.{seat}/16")
            self.client(f"room{room + 1}-{seat}", address, IPv4Address("10.7.255.254"))
        self.server("shop", [IPv4Interface("198.51.100.7/24")], IPv4Address("198.51.100.254"))
