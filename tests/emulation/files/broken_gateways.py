"""Our own gateway with a fault each, for tests that the checks bite; also how to write a gateway of one's own."""

from __future__ import annotations

import subprocess

from topologies.gateways.openflow import OpenFlowGateway


class Leaky(OpenFlowGateway):
    """Lets a packet without a mapping pass as it is, as some NATs do when they are full."""

    def wait_ready(self) -> None:
        """Add the rule that should never be there: a miss goes on to the next hop."""
        super().wait_ready()
        subprocess.run(
            ["ovs-ofctl", "-O", "OpenFlow13", "add-flow", self.name, "table=1,priority=4,ip,actions=goto_table:3"],
            check=True,
        )
        # Only the first SYN of a refused attempt is kept from it: the others find no rule above.
        subprocess.run(
            ["ovs-ofctl", "-O", "OpenFlow13", "--strict", "del-flows", self.name]
            + ["table=1,priority=30,reg0=0,tcp,nw_src=10.0.0.0/16,tcp_flags=+syn-ack"],
            check=True,
        )
        subprocess.run(
            ["ovs-ofctl", "-O", "OpenFlow13", "add-flow", self.name]
            + [
                "table=1,priority=30,reg0=0,tcp,nw_src=10.0.0.0/16,tcp_flags=+syn-ack,actions=controller,goto_table:3"
            ],
            check=True,
        )


class Forgetful(OpenFlowGateway):
    """Loses the rules of its mappings once it is full, as a switch does that restarts."""

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Be asked for counters, and lose the inbound rules for good."""
        subprocess.run(
            ["ovs-ofctl", "-O", "OpenFlow13", "add-flow", self.name, "table=2,priority=99,ip,actions=drop"],
            check=True,
        )
        return super().counters(protocol)


class Boastful(OpenFlowGateway):
    """Claims one port more than it gave."""

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Count one too many."""
        counters = super().counters(protocol)
        return {**counters, "ports_allocated": (counters["ports_allocated"] or 0) + 1}
