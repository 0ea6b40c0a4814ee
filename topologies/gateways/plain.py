"""A gateway for Mininet's own command: `lastport mn --custom topologies/NAME.py --topo NAME` starts no run.

The gateway then has its default settings, and ends with the network.
"""

from __future__ import annotations

import atexit
import ipaddress
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from controller.settings import Settings
from controller.wiring import Interface
from topologies.gateways.base import Gateway, GatewayPlan

SEED = 1


class Plain:
    """Stands for a gateway's class, and makes the node when Mininet builds the network, which needs root.

    `wiring` is called then: the gateway's interfaces and MAC address are not known before all hosts are placed.
    `settings` are the network's own defaults, and `external` the gateway's external addresses, if it has its own.
    """

    datapath: ClassVar[Literal["kernel", "userspace"]] = "userspace"
    """Open vSwitch's datapath, for all gateways: `userspace` can be used everywhere."""

    def __init__(
        self,
        kind: type[Gateway],
        wiring: Callable[[], tuple[list[Interface], str]],
        *,
        settings: dict[str, Any],
        external: list[ipaddress.IPv4Address] | None,
    ) -> None:
        self.kind, self._wiring = kind, wiring
        own = {} if external is None else {"external_addresses": external}
        self.settings = Settings.model_validate({**settings, **kind.settings, **own})

    def __call__(self, name: str, **params: Any) -> Any:
        """Start what the gateway lives by, and return the node. Its files are gone when Mininet ends."""
        folder = tempfile.TemporaryDirectory(prefix="lastport-")
        atexit.register(folder.cleanup)
        interfaces, mac = self._wiring()
        plan = GatewayPlan(
            settings=self.settings,
            options=self.kind.Options(),
            interfaces=interfaces,
            mac=mac,
            seed=SEED,
            folder=Path(folder.name),
            datapath=self.datapath,
        )
        return self.kind(name, **self.kind.prepare(plan), **params)  # type: ignore[call-arg] # it is a node as well
