"""Port allocation as the Linux kernel does it: the internal port, or the first free one that a short search meets.

Linux (`nf_nat_l4proto_unique_tuple` in net/netfilter/nf_nat_core.c) keeps no list of free ports. It tries the
internal port, then 128 consecutive ports from a random one on. If all are taken, it tries 64 from another, then
32, 16 and 8. After these 248 it gives up, so that a search never takes long. A range of up to 128 ports is
searched in full.

Deviation: the fuller the range, the more packets are refused while ports are free, against RFC 6888 REQ-13 (make
the most of the ports). The search also favours the port after a row of taken ones, like Algorithm 1 of RFC 6056.
Linux's own ranges for internal ports below 1024 are left out. Of several ranges Linux searches one, which a rule
names; here the search goes on from one range to the next.
"""

from __future__ import annotations

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.row import Row

ROUNDS = (128, 64, 32, 16, 8)
"""The number of consecutive ports that each round of the search tries (NF_NAT_MAX_ATTEMPTS, and halves of it)."""


class LinuxLikeAllocator(Allocator):
    """Gives the internal port, or a free port that it finds within 248 tries."""

    def __init__(self, plan: PortPlan) -> None:
        self._ports = plan.ports
        self._size = len(plan.ports)
        self._random = plan.rng.random
        self._row = Row(self._size)

    def __len__(self) -> int:
        return len(self._row)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take the port of `internal` or the first free one that the search meets; None if it meets none."""
        if internal.port in self._ports and self._row.take(self._ports.index(internal.port)):
            return internal.port
        if not self._row:
            return None  # Linux, which does not count, finds this out by searching
        for tries in ROUNDS:
            found = self._row.first_free(int(self._random() * self._size), tries)
            if found is not None:
                self._row.take(found)
                return self._ports[found]
        return None

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given."""
        self._row.give_back(self._ports.index(port))
