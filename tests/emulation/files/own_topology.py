"""A topology as a student may write it: two rooms in one address range, and one server.

room1-1 10.7.0.1 --+
room1-2 10.7.0.2 --+-- 10.7.255.254 [gateway] -- shop 198.51.100.7
room2-1 10.7.1.1 --+
"""

from __future__ import annotations

from topologies.base import Topology


class Rooms(Topology):
    """Clients in two rooms."""

    def build(self, clients: int) -> None:
        """Place the clients in turn in room 1 and room 2."""
        self.gateway()
        for number in range(clients):
            room, seat = number % 2, number // 2 + 1
            self.client(f"room{room + 1}-{seat}", f"10.7.{room}.{seat}/16", gateway="10.7.255.254")
        self.server("shop", "198.51.100.7/24", gateway="198.51.100.254")
