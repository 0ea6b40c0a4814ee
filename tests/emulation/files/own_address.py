"""A home whose external address is that of the NAT's outside interface."""

from __future__ import annotations

from testbed.api import Topology


class OwnAddress(Topology):
    """Clients on links of their own, and two servers behind a provider's router."""

    def build(self, clients: int) -> None:
        """Place them."""
        self.gateway()
        for number in range(1, clients + 1):
            self.client(f"client{number}", f"10.0.0.{number}/16", "10.0.255.254")
        self.router("isp")
        self.uplink("gateway", "192.0.2.1/24", "192.0.2.254", to="isp")
        self.two_servers(behind="isp")
