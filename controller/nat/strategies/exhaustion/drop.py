"""Silence: the packet is dropped, and its sender gets no answer (RFC 6888 REQ-11A asks for the drop).

RFC 5508 REQ-8 and RFC 6888 REQ-11B ask for an ICMP error as well.
"""

from __future__ import annotations

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage


class DropPolicy(Policy):
    """Drops the packet in silence: the client waits until it gives up."""

    def decide(self, shortage: Shortage) -> Decision:
        """Return no answer, whichever limit was hit."""
        return Answer.NOTHING
