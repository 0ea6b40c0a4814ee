"""What becomes of an outbound packet for which something ran short. One file and one line here for each policy.

A policy decides, and the NAT acts. The policy may refuse the packet with an answer, hold it until what it needs is
free, or name a mapping that is ended for it. The same policy decides for every limit.
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
