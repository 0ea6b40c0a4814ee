"""A policy of one's own: hold a packet if ports ran short, and refuse it by ICMP if a quota or a limit did.

A port may come back in a moment, and the packet then gets it; a quota that is used up is its subscriber's own
affair.

    ./lastport run port-exhaustion --set on_exhaustion=docs/examples/ask_later_policy.py --set fallback=icmp
"""

from __future__ import annotations

from controller.api import Answer, Decision, Limit, Policy, Shortage, Wait


class AskLater(Policy):
    """Holds a packet that finds no port, and answers by ICMP to any other shortage."""

    answers = Answer.ICMP

    def decide(self, shortage: Shortage) -> Decision:
        """Wait for a port, and for nothing else."""
        return Wait() if shortage.limit in (Limit.PORTS, Limit.POOL) else Answer.ICMP
