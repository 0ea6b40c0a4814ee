"""What becomes of an outbound packet for which something ran short. One file and one line here for each policy.

A policy decides; the NAT does. It may refuse the packet with an answer, let it wait for what it needs, or name a
mapping that has to go for it. The same policy decides whichever limit was hit.
"""

from __future__ import annotations

from controller.nat.strategies.exhaustion.drop import DropPolicy
from controller.nat.strategies.exhaustion.evict_lru import EvictLruPolicy
from controller.nat.strategies.exhaustion.hold import HoldPolicy
from controller.nat.strategies.exhaustion.icmp import IcmpPolicy
from controller.nat.strategies.exhaustion.policy import Policy
from controller.nat.strategies.exhaustion.reset import ResetPolicy

POLICIES: dict[str, type[Policy]] = {
    "drop": DropPolicy,
    "icmp": IcmpPolicy,
    "reset": ResetPolicy,
    "evict-lru": EvictLruPolicy,
    "hold": HoldPolicy,
}
"""By the names of the setting `on_exhaustion`."""
