"""Silence: the packet is dropped, and its sender is told nothing (RFC 6888 REQ-11A asks for the drop).

RFC 5508 REQ-8 and RFC 6888 REQ-11B would have the NAT send an ICMP error as well.
"""

from __future__ import annotations

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage


class DropPolicy(Policy):
    """Refuses without a word: the client waits until it loses patience."""

    def decide(self, shortage: Shortage) -> Decision:
        """Say nothing."""
        return Answer.NOTHING
