"""Lab 3: a policy that meets every requirement, with the sheet's own share."""

from __future__ import annotations

from collections import Counter

from controller.api import Answer, Decision, Evict, Limit, Policy, Shortage, Wait

SHARE = 10
"""The mappings that nobody loses."""


class Reference(Policy):
    """Takes ports from the subscriber that has the most, for one that has less than its share."""

    evicts = True
    answers = Answer.ICMP

    def decide(self, shortage: Shortage) -> Decision:
        """Decide by the limit that was reached."""
        if shortage.limit in (Limit.PORTS, Limit.POOL):
            return self._share_out(shortage)
        if shortage.limit is Limit.QUOTA:
            return Answer.ICMP
        if shortage.limit is Limit.RATE:
            return Wait()
        return shortage.fallback

    def _share_out(self, shortage: Shortage) -> Decision:
        """Take the least recently used mapping of the subscriber with the most, if that is above its share."""
        mappings = list(shortage.victims)
        counts = Counter(each.internal.address for each in mappings)
        if not mappings or counts[shortage.packet.source.address] >= SHARE:
            return Answer.ICMP
        largest, most = counts.most_common(1)[0]
        if most <= SHARE:
            return Answer.ICMP
        return Evict(next(each for each in mappings if each.internal.address == largest))
