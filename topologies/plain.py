"""A gateway for Mininet's own command: `mn --custom topologies/NAME.py --topo NAME` starts no run and no sandbox.

The gateway then has its default settings, uses the machine's own Open vSwitch, and ends with the network.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.configuration import Settings
from topologies.gateways.base import Gateway, GatewayPlan

if TYPE_CHECKING:
    from topologies.base import LabTopology

KERNEL_DATAPATH = Path("/sys/module/openvswitch")
SEED = 1


class Plain:
    """Stands for a gateway's class, and makes the node when Mininet builds the network, which needs root."""

    def __init__(self, topology: LabTopology, name: str, kind: type[Gateway]) -> None:
        self._topology, self._name, self._kind = topology, name, kind

    def __call__(self, name: str, **params: Any) -> Any:
        """Start what the gateway lives by, and return the node. Its files are gone when Mininet ends."""
        folder = tempfile.TemporaryDirectory(prefix="lastport-")
        atexit.register(folder.cleanup)
        plan = GatewayPlan(
            settings=self.settings(),
            options=self._kind.Options(),
            interfaces=self._topology.wiring[self._name],
            mac=self._topology.gateway_mac(self._name),
            seed=SEED,
            folder=Path(folder.name),
            datapath="kernel" if os.geteuid() == 0 and KERNEL_DATAPATH.exists() else "userspace",
        )
        return self._kind(name, **self._kind.prepare(plan), **params)  # type: ignore[call-arg] # it is a node as well

    def settings(self) -> Settings:
        """Return the defaults of topology and gateway."""
        external = self._topology.external.get(self._name)
        own = {} if external is None else {"external_addresses": external}
        return Settings.model_validate({**self._topology.settings, **self._kind.settings, **own})
