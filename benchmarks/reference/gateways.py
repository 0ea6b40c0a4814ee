"""Gateways that our own is compared with: they have the same switch, and another controller.

They follow no settings but the ports and the external address, and are for the benches only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from topologies.gateways.base import GatewayPlan
from topologies.gateways.bridge import output
from topologies.gateways.openflow.gateway import OpenFlowGateway

IDLE_TIMEOUT_S = 300
OUTBOUND, INBOUND = 1, 2

Adopted = tuple[str, str, int, int]
"""A flow of a table that the bench fills: its protocol, inside address and port, and external port."""


class Simple(OpenFlowGateway):
    """A gateway whose controller follows no settings but the ports and the external address."""

    followed = frozenset({"ports", "external_addresses"})

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return nothing: its controller does not count."""
        return {}


class Ceiling(Simple):
    """A gateway whose controller decides nothing."""

    program: ClassVar[str] = "benchmarks.reference.ceiling"


class Textbook(Simple):
    """A gateway whose controller is the NAT of a Ryu textbook."""

    program: ClassVar[str] = "benchmarks.reference.textbook"

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start the controller, and keep the addresses that its rules are made of."""
        own = {"own_mac": plan.mac, "external": plan.settings.external_addresses[0]}
        return {**super().prepare(plan), **own, "protocols": "OpenFlow13,OpenFlow14"}

    def __init__(self, name: str, own_mac: str, external: ipaddress.IPv4Address, **params: Any) -> None:
        super().__init__(name, **params)
        self._own_mac = own_mac
        self._external = external

    def adopt(self, flows: Sequence[Adopted], remote: tuple[str, int]) -> None:
        """Fill the table: install the rules that the controller would install, and send it the connections.

        The controller itself would take half a minute and more for a full table. The rules come as one bundle of
        OpenFlow 1.4. One by one, the switch would go through all rules with a timeout for each of them.
        """
        path = self.controller.log.with_name("adopted-flows")
        path.write_text("".join(self._rules(flows, remote)))
        output("ovs-ofctl", "-OOpenFlow14", "--bundle", "add-flows", self.name, str(path))
        numbers = {"tcp": 6, "udp": 17}
        self.controller.ask(adopt=[(numbers[protocol], *rest) for protocol, *rest in flows])

    def _rules(self, flows: Sequence[Adopted], remote: tuple[str, int]) -> Iterator[str]:
        address, number = remote
        known = f"priority=10,idle_timeout={IDLE_TIMEOUT_S},send_flow_rem"
        for protocol, inside, port, external in flows:
            here, there = self._hop(inside), self._hop(address)
            yield (
                f"cookie={OUTBOUND},{known},{protocol},nw_src={inside},tp_src={port},nw_dst={address},"
                f"tp_dst={number},actions=set_field:{self._external}->ip_src,"
                f"set_field:{external}->{protocol}_src,{there}\n"
            )
            yield (
                f"cookie={INBOUND},{known},{protocol},nw_src={address},tp_src={number},nw_dst={self._external},"
                f"tp_dst={external},actions=set_field:{inside}->ip_dst,"
                f"set_field:{port}->{protocol}_dst,{here}\n"
            )

    def _hop(self, address: str) -> str:
        """Return the actions that lead to the host with an address."""
        mac, port = self._hosts[address]
        return f"set_field:{self._own_mac}->eth_src,set_field:{mac}->eth_dst,dec_ttl,output:{port}"

    @property
    def _hosts(self) -> dict[str, tuple[str, int]]:
        """The MAC address of each host and its port, by the host's address."""
        found = {}
        for interface, port in self.ports.items():
            link = getattr(interface, "link", None)
            if link is not None:
                far = link.intf2 if link.intf1 is interface else link.intf1
                found[far.ip] = (far.MAC(), port)
        return found
