"""Bench `memory`: bytes for each mapping in the controller, and for each rule in the switch.

Both are differences of resident memory between an empty table and a full one, divided by the number of entries.
The switch is measured before there is any traffic, with rules like those of mappings, so that its packet cache
does not count.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarks.measuring import FlowsParameters, Measuring
from benchmarks.processes import resident, switch
from benchmarks.subjects import NATS
from controller.settings import FIRST_PORT
from testbed.bench.bench import Bench, Parameters, Trial
from testbed.bench.in_lab import lab_trial
from testbed.sandbox.mounts import FOLDER
from topologies.gateways.bridge import output

STRANGER = ipaddress.IPv4Address("198.18.0.1")
"""The inside address of the rules. It is for tests only (RFC 2544), so no traffic here matches them."""
COOKIE = 0x57A9E


class MemoryParameters(Parameters):
    """What a user may choose about this bench."""

    ports: int = Field(64512, strict=True, ge=1024, le=64512, description="ports of the external address")


class Weighing(Measuring[FlowsParameters]):
    """How many bytes does a mapping take in the controller, and a rule in the switch?"""

    name = "bench-memory"

    def prepare(self) -> None:
        """Measure the rules, while there is nothing else in the switch, and remove them again."""
        before = resident(switch())
        path, ports = FOLDER / "strange-flows", self.x.settings.port_count
        path.write_text("".join(rules(ports)))
        output("ovs-ofctl", "-OOpenFlow13", "add-flows", "gateway", str(path))
        self.sample({"what": "rule in the switch"}, "bytes", (resident(switch()) - before) / (2 * ports))
        output("ovs-ofctl", "-OOpenFlow13", "del-flows", "gateway", f"cookie={COOKIE}/-1")

    def measure(self) -> None:
        """Measure the controller before and after a fill."""
        (controller,) = self.x.lab.gateway.processes()
        before, in_use = resident(controller.pid), self.in_use
        self.fill(self.x.settings.port_count)
        grown = resident(controller.pid) - before
        self.sample({"what": "mapping in the controller"}, "bytes", grown / (self.in_use - in_use))


def rules(mappings: int) -> list[str]:
    """Return two rules for each of `mappings` mappings, as our own pipeline has them."""
    lines = []
    for port in range(FIRST_PORT, FIRST_PORT + mappings):
        known = f"cookie={COOKIE},priority=20,udp"
        lines += [
            f"table=2,{known},nw_src={STRANGER},tp_src={port},actions=set_field:192.0.2.1->ip_src,"
            f"set_field:{port}->udp_src,goto_table:4\n",
            f"table=3,{known},nw_dst={STRANGER},tp_dst={port},actions=set_field:10.0.0.1->ip_dst,"
            f"set_field:{port}->udp_dst,goto_table:4\n",
        ]
    return lines


class Memory(Bench):
    """How many bytes does a mapping take in the controller, and a rule in the switch?"""

    name = "memory"
    Parameters = MemoryParameters
    subjects = ("openflow",)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return the one trial."""
        return [
            lab_trial(
                "openflow",
                scenario=f"{Path(__file__)}:Weighing",
                gateway=NATS["openflow"],
                sets={"ports": parameters.ports},
                title="memory",
            )
        ]
