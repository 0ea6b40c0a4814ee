"""A TCP reset in the server's name; an ICMP error for what is not TCP.

No RFC proposes it, and some middleboxes do it. A client cannot tell it from a closed port: it is told at once, and
wrongly.
"""

from __future__ import annotations

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage


class ResetPolicy(Policy):
    """Refuses with a reset: the client's connection is refused, it seems by the server."""

    def decide(self, shortage: Shortage) -> Decision:
        """Answer by a reset; the NAT makes it ICMP where there is nothing to reset."""
        return Answer.RESET
