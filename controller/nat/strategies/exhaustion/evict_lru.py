"""Theft: the least recently used mapping is ended, and the newcomer takes its place.

It does not look whether that mapping is in use. Where every flow is busy, each newcomer breaks a connection, whose
client comes back as the next newcomer, for ever. `evict_only_idle_for` spares mappings that were used lately.

Deviation: RFC 6888 REQ-11D forbids this to a carrier's NAT, and RFC 5508 section 6 discourages it, since
applications cope better with a connection that cannot start than with one that breaks. Where no removal would
admit the packet, it gets the fallback: where a rate was exceeded, where a subscriber has no mapping of its own in
its blocks, or where all are spared.
"""

from __future__ import annotations

from typing import ClassVar

from controller.nat.strategies.exhaustion.policy import Decision, Evict, Policy, Shortage


class EvictLruPolicy(Policy):
    """Ends the least recently used mapping to make room, in use or not: connections break without notice."""

    evicts: ClassVar[bool] = True

    def decide(self, shortage: Shortage) -> Decision:
        """Choose the first of the victims, or the fallback if there is none."""
        victim = next(shortage.victims, None)
        return shortage.fallback if victim is None else Evict(victim)
