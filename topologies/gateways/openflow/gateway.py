"""Our own NAT: an Open vSwitch bridge whose flow rules come from the Ryu controller in `controller/`.

What it declares about itself is in `facts`, and the controller's process in `process`.
"""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, ClassVar

from controller.nat.model import Limit
from controller.recording import Kind
from controller.settings import PORT_REST_S, Settings
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.bridge import Bridge
from topologies.gateways.by_hand import Row, Selection, Table
from topologies.gateways.gauges import Gauges, PortGauge, summed
from topologies.gateways.openflow import facts
from topologies.gateways.openflow.process import HOST, ControllerProcess, configuration
from topologies.gateways.recorder import Knows, Recorder

CONTROLLER_QUEUE = 512
"""Packets that the switch keeps for a busy controller; 512 is the most that Open vSwitch allows."""

PROTOCOLS = ("tcp", "udp", "icmp")
MISSES = 5
"""Rules for what has no rule of a mapping: a first segment, each of three protocols, and all others."""

_Address = namedtuple("_Address", "name protocol IP port")


def table_limits(plan: GatewayPlan) -> dict[int, int]:
    """Return how many rules each NAT table may have: what `flow_limit` grants, besides those that always stand."""
    limit = plan.settings.flow_limit
    if limit is None:
        return {}
    gateway = configuration(plan)
    looks_at_sizes = gateway.largest_outbound is not None
    return {
        # From each network, and to each address.
        2: limit + MISSES * len(gateway.inside_networks) + looks_at_sizes,
        3: limit + MISSES * len(plan.settings.external_addresses),
    }


def _row(*, idle: float | None, **known: str) -> Row:
    return Row(**known, time="" if idle is None else f"used {idle:g} s ago")


class OpenFlowGateway(Bridge, Gateway):
    """Open vSwitch and the project's own controller."""

    fits_packets: ClassVar[bool] = True
    program: ClassVar[str] = "controller"
    """The controller's module."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what our own NAT does under these settings, all of which it follows."""
        return facts.behaviour(settings)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start the controller, which takes as long as building the hosts."""
        return {
            "plan": plan,
            "controller": ControllerProcess(plan, cls.program),
            "datapath": "user" if plan.datapath == "userspace" else "kernel",
            "protocols": "OpenFlow13",
        }

    def __init__(self, name: str, plan: GatewayPlan, controller: ControllerProcess, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._table_limits = table_limits(plan)
        self._flow_limit = plan.settings.flow_limit
        self.controller = controller

    def start(self, controllers: list[Any]) -> None:
        """Make the bridge, with its ports and its controller, in one transaction."""
        self.controller.wait_listening()
        super().start([_Address("nat", "tcp", lambda: HOST, self.controller.port)])

    def connected(self) -> bool:
        """Whether packets are translated; Mininet's own command waits for it."""
        return self.controller.is_ready

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 (Mininet's name)
        """Remove the bridge and end the controller; a run needs neither, since its sandbox ends."""
        super().stop(deleteIntfs)
        self.controller.stop()

    @classmethod
    def batchShutdown(cls, switches: list[Any], **_: Any) -> list[Any]:  # noqa: N802 (Mininet's name)
        """Stop none, so that Mininet stops each by itself: its way of stopping all at once forgets controllers."""
        return []

    def bridgeOpts(self) -> str:  # noqa: N802 (Mininet's name)
        """Extend Mininet's options of the bridge, and limit its NAT tables."""
        limits = "".join(
            f" -- --id=@table{table} create Flow_Table flow_limit={rules} overflow_policy=refuse"
            f" -- set Bridge {self.name} flow_tables:{table}=@table{table}"
            for table, rules in self._table_limits.items()
        )
        return f"{super().bridgeOpts()} other-config:controller-queue-size={CONTROLLER_QUEUE}{limits}"

    def processes(self) -> list[SupervisedProcess]:
        """Return the controller's process; the switch belongs to the sandbox."""
        return [SupervisedProcess(f"{self.name}'s controller", self.controller.process.pid, self.controller.log)]

    def wait_ready(self) -> None:
        """Wait until the switch has the base rules."""
        self.controller.wait_ready()

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return the NAT's counters of one protocol, and those of all."""
        gauges = self.controller.gauges()
        common = {key: value for key, value in gauges.items() if not isinstance(value, dict)}
        with self._as_sent():
            return {**gauges[protocol], **common}

    def gauges(self) -> Gauges:
        """Return what the controller sent last, unasked."""
        latest = self.controller.latest
        if "addresses" not in latest:  # it has sent none yet, or is another program
            return Gauges()
        common = {key: value for key, value in latest.items() if not isinstance(value, dict)}
        with self._as_sent():
            ports = [
                PortGauge(address, protocol, *usage)
                for address, of_address in latest["addresses"].items()
                for protocol, usage in of_address.items()
            ]
            return Gauges(ports, {**summed(*(latest[protocol] for protocol in PROTOCOLS)), **common})

    def longest_answer(self) -> float | None:
        """Return the longest that the switch took to answer the controller, behind the packets that waited."""
        latency: dict[str, float] = self.controller.latest.get("latency", {})
        with self._as_sent():
            return latency.get("longest_s")

    @contextmanager
    def _as_sent(self) -> Iterator[None]:
        """Raise GatewayError if the controller's gauges lack something: there may be a stranger's class in it."""
        try:
            yield
        except (AttributeError, KeyError, TypeError) as error:
            raise GatewayError(
                f"{self.controller.name} sent gauges of another shape: {type(error).__name__}: {error}"
            ) from error

    def flush(self) -> None:
        """End all mappings through the controller, which removes their rules."""
        self.controller.ask(flush=True)

    def table(self, selection: Selection, most: int) -> Table:
        """Return its mappings, as its controller has them."""
        told = self.controller.ask(table=asdict(selection), most=most)
        rows = [_row(**each) for each in told["rows"]]
        return Table(rows, told["total"])

    def release(self, selection: Selection) -> int:
        """End mappings. One that is static is not ended."""
        return int(self.controller.ask(release=asdict(selection))["released"])

    def change(self, settings: Settings) -> str:
        """Have the controller follow other settings; it begins anew where no mapping could stay as it is."""
        if settings.flow_limit != self._flow_limit:
            raise GatewayError(
                "the switch's tables get their size when it starts; give --set flow_limit to a new one"
            )
        answer = self.controller.ask(settings=settings.model_dump(mode="json"))
        if "refused" in answer:
            raise GatewayError(answer["refused"])
        if answer["stays"]:
            return ""
        time.sleep(PORT_REST_S)  # no port is given again before the switch has forgotten its last flow
        return "no mapping could stay under it, so all of them have ended and the NAT has begun anew"

    def refusals(self) -> dict[str, str]:
        """Return what the switch does with a packet that has no rule, and where it refuses one itself."""
        asked = "table 1 of the switch has no rule for the packet and asks the controller"
        refused = "table 1 or 2 of the switch has no room for the rules of the mapping"
        return {each.value: refused if each is Limit.FLOW_TABLE else asked for each in Limit}

    def record(self, recorder: Recorder) -> Knows:
        """Have the controller report each event of its NAT."""
        self.controller.record(recorder)
        return Knows(tuple(kind for kind in Kind if kind not in (Kind.TEXT, Kind.ATTEMPT)), "its own events")

    def environment(self) -> dict[str, str]:
        """Return the framework and its version."""
        return {"framework": self.controller.framework}
