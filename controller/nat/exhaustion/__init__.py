"""What becomes of an outbound packet for which something ran short. One file and one line here for each policy.

A policy decides; the NAT does. It may refuse the packet with an answer, let it wait for what it needs, or name a
mapping that has to go for it. The same policy decides whichever limit was hit.
"""

from __future__ import annotations

from controller.nat.exhaustion.drop import Drop
from controller.nat.exhaustion.evict_lru import EvictLru
from controller.nat.exhaustion.hold import Hold
from controller.nat.exhaustion.icmp import Icmp
from controller.nat.exhaustion.policy import ExhaustionPolicy
from controller.nat.exhaustion.reset import Reset

POLICIES: dict[str, type[ExhaustionPolicy]] = {
    "drop": Drop,
    "icmp": Icmp,
    "reset": Reset,
    "evict-lru": EvictLru,
    "hold": Hold,
}
"""By the names of the setting `on_exhaustion`."""
