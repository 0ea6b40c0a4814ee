"""A NAT in user space: a program that ends a host's connections, and has sockets of its kernel's in their place.

The inside hosts stand where the processes of a container would be. Their packets are routed from the LAN to a
program's tap interface, and to nowhere else. Its sockets leave by the WAN interface, whose address is the external
one. The ports are those from which the kernel of the namespace draws. A subclass starts its program or programs.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface
from topologies.gateways.base import Gateway, GatewayPlan
from topologies.gateways.following import require_one_range
from topologies.gateways.namespaced import Namespaced
from topologies.gateways.program.gateway import require_two, sides
from topologies.network.sysctls import write_sysctls

TABLE = 100
"""The routes of what comes from the LAN."""
READY_WITHIN_S = 20.0


class RelayGateway(Namespaced, Gateway):
    """A router whose LAN leads to a program only. A subclass has `start_programs` and `declare`."""

    topology: ClassVar[str | None] = "edge"

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what it cannot follow."""
        super().check(settings, options)
        require_one_range(settings, "the kernel's ip_local_port_range is one")

    @classmethod
    def check_wiring(cls, _settings: Settings, _options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError unless there is one interface on each side, and one address for each host."""
        require_two(interfaces)
        if any(each.routes for each in interfaces):
            raise ConfigurationError(
                "parameter addresses_per_client is not possible with this gateway, whose program stands for hosts "
                "with one address each; take addresses_per_client=1, or another --gateway"
            )

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start nothing: the program needs the namespace."""
        return {"plan": plan, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, plan, **params)
        lan, wan = sides(plan.interfaces)
        self._lan, self._wan = lan, wan

    @abc.abstractmethod
    def start_programs(self) -> None:
        """Start the program, and route to its tap interface, in a router that is there already."""

    def start(self, _controllers: list[Any]) -> None:
        """Make a router of the namespace, in which nothing of the LAN may pass, and start the program."""
        assert self.namespace is not None
        ports = self.plan.settings.port_set
        self.ip(
            *(f"link set {name} address {self.plan.mac} up" for name in (self.inside, self.outside)),
            f"address add {self._lan.address} dev {self.inside}",
            f"address add {self._wan.address} dev {self.outside}",
            *([f"route add default via {self._wan.next_hop}"] if self._wan.next_hop else []),
            # Until the program is there, and when it goes, nothing of the LAN may pass.
            f"route add unreachable default metric {TABLE} table {TABLE}",
            f"rule add iif {self.inside} lookup {TABLE}",
        )
        with self.namespace.entered():
            write_sysctls({"net/ipv4/ip_forward": "1", "net/ipv4/ip_local_port_range": f"{ports[0]} {ports[-1]}"})
        self.start_programs()

    @property
    def inside(self) -> str:
        """The name of the LAN interface."""
        return str(self.intfs[self._lan.port].name)

    @property
    def outside(self) -> str:
        """The name of the WAN interface."""
        return str(self.intfs[self._wan.port].name)
