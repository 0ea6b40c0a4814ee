"""Linux's own table of connections, filled to its end and beyond with datagrams that have no answer.

The table has the size that this machine gives it (`nf_conntrack_max`), which is read and never changed. When the
table is full, Linux makes room by removing an entry that is not assured. Over TCP the handshake assures an entry.
"""

from __future__ import annotations

import math
from typing import Any

from testbed.api import Asked, Experiment, Of, Refusal, Requirement
from testbed.traffic.flood import Silence, flood, targets_needed
from topologies.gateways.netfilter import facts

MOST_ENTRIES = 1_048_576
"""The largest table that is filled: at some 400 bytes each, more entries would take more than 400 MB."""
BEYOND = 0.1
"""The share by which the datagrams exceed the size of the table."""
TRIMMED = 0.9
"""Share of its size to which the table is certainly filled. Linux's garbage collector removes entries that are not
assured from a table that is filled to 95 %."""
SILENT_PORT = 5000


def fillable() -> Requirement:
    """Need, if limit_sessions is null, a table that makes room and can be filled, and TCP, which assures one."""

    def unmet(asked: Asked) -> Refusal | None:
        protocol, size = asked.parameters.protocol, facts.table_size()
        if asked.settings.limit_sessions is not None:
            return None
        if asked.declared.state_exhausted.value.evicts != "unassured":
            why = "without it the table of this gateway has no limit"
            return Refusal("limit_sessions", None, why, "a limit_sessions below the number of ports")
        if protocol != "tcp":
            why = "with limit_sessions=null an answer must assure an entry, and only an answer over TCP does"
            return Refusal("protocol", protocol, why, "protocol=tcp", kind="parameter")
        if size > MOST_ENTRIES:
            why = (
                f"this machine's table holds {size:,} connections (net.netfilter.nf_conntrack_max), and a table "
                f"of more than {MOST_ENTRIES:,} is not filled"
            )
            way_out = "a limit_sessions below the number of ports, or lower nf_conntrack_max"
            return Refusal("limit_sessions", None, why, way_out)
        return None

    text = f"with limit_sessions=null, protocol=tcp and Linux's own table of at most {MOST_ENTRIES:,} connections"
    return Requirement(text, unmet, Of.GATEWAY)


class Flood:
    """Datagrams, each of its own flow, more than the table holds, and a server that answers none of them."""

    def __init__(self, x: Experiment[Any]) -> None:
        """Read the size of the table, and open the sockets of the second server, which never answers."""
        self._x = x
        self.size = facts.table_size()
        self.flows = math.ceil(self.size * (1 + BEYOND))
        address, _ = x.lab.endpoint(server=1)
        self._silence = Silence(x.lab.servers[1].netns, address, SILENT_PORT, targets_needed(self.flows))

    @property
    def filled(self) -> int:
        """The number of entries with which the table counts as full."""
        return math.floor(self.size * TRIMMED)

    def send(self) -> None:
        """Send all datagrams, from the clients in turn."""
        clients, targets = [host.netns for host in self._x.lab.clients], self._silence.targets
        with self._x.phase("flood"):
            flood(clients, targets, self.flows, progress=lambda done: self._x.progress(done, self.flows))
