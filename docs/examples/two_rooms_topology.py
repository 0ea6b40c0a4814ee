"""A topology of one's own: two rooms in one address range, and a shop.

room1-1 10.7.0.1 --+
room1-2 10.7.0.2 --+-- 10.7.255.254 [gateway] 192.0.2.1 -- shop 198.51.100.7
room2-1 10.7.1.1 --+

./lastport run port-exhaustion --topology docs/examples/two_rooms_topology.py
"""

from __future__ import annotations

from testbed.api import Topology

ROOMS = 2


class TwoRooms(Topology):
    """Clients in two rooms, and one shop outside."""

    def build(self, clients: int) -> None:
        """Place the clients in turn in room 1 and room 2."""
        self.gateway()
        for number in range(clients):
            seat, room = divmod(number, ROOMS)
            address = f"10.7.{room}.{seat + 1}/16"
            self.client(f"room{room + 1}-{seat + 1}", address, gateway="10.7.255.254")
        self.server("shop", "198.51.100.7/24", gateway="198.51.100.254")
