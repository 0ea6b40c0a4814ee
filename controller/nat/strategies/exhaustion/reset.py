"""A TCP reset in the server's name, and an ICMP error for what is not TCP.

No RFC proposes it, but some middleboxes do it. To a client it looks like a closed port: the answer comes at once,
and is wrong.
"""

from __future__ import annotations

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage


class ResetPolicy(Policy):
    """Refuses with a TCP reset: to the client it looks as if the server refused the connection."""

    def decide(self, shortage: Shortage) -> Decision:
        """Answer by a reset, which the NAT turns into ICMP where there is no TCP connection to reset."""
        return Answer.RESET
