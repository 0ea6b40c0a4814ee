"""Theft: the least recently used mapping goes, and the newcomer takes its place.

Deviation: RFC 6888 REQ-11D forbids it to a carrier's NAT, and RFC 5508 section 6 discourages it, since
applications cope better with a connection that cannot start than with one that breaks. Where no removal would
admit the packet (a rate, a subscriber without a mapping of its own among the ports of its block), it gets the
fallback.
"""

from __future__ import annotations

from typing import ClassVar

from controller.nat.strategies.exhaustion.policy import Decision, Evict, Policy, Shortage


class EvictLruPolicy(Policy):
    """Ends the least recently used mapping to make room: old idle connections break unawares."""

    evicts: ClassVar[bool] = True

    def decide(self, shortage: Shortage) -> Decision:
        """Choose the first of the victims."""
        victim = next(shortage.victims, None)
        return shortage.fallback if victim is None else Evict(victim)
