"""Patience: the packet waits in a queue until what it needs is free again, for a limited time.

No RFC mentions it. Where connections are short, a port may be free a moment later, and the client sees only a slow
start. A packet that finds the queue full (`hold_queue`) or has waited for `hold_timeout` gets the fallback. A
client that is known to have given up is passed over (`controller/nat/waiting.py`).
"""

from __future__ import annotations

from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage, Wait


class HoldPolicy(Policy):
    """Holds the packet for a while until a port is free."""

    def decide(self, shortage: Shortage) -> Decision:
        """Hold the packet, whichever limit was hit."""
        return Wait()
