"""Patience: the packet waits in a queue until what it needs is free again, but not for ever.

No RFC mentions it. Where connections are short, a moment later there may be a port, and the client sees nothing
but a slow start. A packet that finds the queue full (`hold_queue`) or has waited for `hold_timeout` gets the
fallback.
"""

from __future__ import annotations

from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage, Wait


class HoldPolicy(Policy):
    """Lets the packet wait a while for a port."""

    def decide(self, shortage: Shortage) -> Decision:
        """Wait."""
        return Wait()
