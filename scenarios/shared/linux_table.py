"""Linux's own table of connections, filled to its end and beyond with datagrams that nobody answers.

It is as large as this machine has it (`nf_conntrack_max`), which is read and never changed. Where it is full,
Linux makes room: an entry goes that is not assured of its place. Over TCP the handshake assures one.
"""

from __future__ import annotations

import math
from typing import Any

from testbed.api import Asked, Experiment, Of, Refusal, Requirement
from testbed.traffic.flood import Silence, flood, targets_needed
from topologies.gateways.netfilter import facts

MOST_ENTRIES = 1_048_576
"""A larger table is not filled: at some 400 bytes each its entries would take more than 400 MB."""
BEYOND = 0.1
"""The share by which the datagrams are more than what the table holds."""
TRIMMED = 0.9
"""Linux's garbage collector, when it comes by, trims a table that is full to 95 %, of such entries as may go."""
SILENT_PORT = 5000


def fillable() -> Requirement:
    """Need, if limit_sessions is null, a table that makes room and can be filled, and a protocol that assures."""

    def unmet(asked: Asked) -> Refusal | None:
        protocol, size = asked.parameters.protocol, facts.table_size()
        if asked.settings.limit_sessions is not None:
            return None
        if asked.declared.state_exhausted.value.evicts != "unassured":
            why = "the table of this gateway has no end then"
            return Refusal("limit_sessions", None, why, "a limit_sessions below the number of ports")
        if protocol != "tcp":
            why = "with limit_sessions=null an answer must assure an entry of its place, and only TCP's does"
            return Refusal("protocol", protocol, why, "protocol=tcp", kind="parameter")
        if size > MOST_ENTRIES:
            why = (
                f"this machine's table holds {size:,} connections (net.netfilter.nf_conntrack_max), and more than "
                f"{MOST_ENTRIES:,} are not filled"
            )
            way_out = "a limit_sessions below the number of ports, or lower nf_conntrack_max"
            return Refusal("limit_sessions", None, why, way_out)
        return None

    text = f"with limit_sessions=null, protocol=tcp and Linux's own table of at most {MOST_ENTRIES:,} connections"
    return Requirement(text, unmet, Of.GATEWAY)


class Flood:
    """Datagrams of a flow each, more than the table holds, and a server that is silent as long as this lives."""

    def __init__(self, x: Experiment[Any]) -> None:
        """Read the size of the table, and let the second server be silent."""
        self._x = x
        self.size = int(x.lab.gateway.environment()["nf_conntrack_max"])
        self.flows = math.ceil(self.size * (1 + BEYOND))
        address, _ = x.lab.endpoint(server=1)
        self._silence = Silence(x.lab.servers[1].netns, address, SILENT_PORT, targets_needed(self.flows))

    @property
    def filled(self) -> int:
        """The number of entries from which on the table counts as full."""
        return math.floor(self.size * TRIMMED)

    def send(self) -> None:
        """Send them all, from the clients in turn."""
        clients, targets = [host.netns for host in self._x.lab.clients], self._silence.targets
        with self._x.phase("flood"):
            flood(clients, targets, self.flows, progress=lambda done: self._x.progress(done, self.flows))
