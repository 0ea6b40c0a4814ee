"""An ICMP error, "destination unreachable", to the sender (RFC 5508 REQ-8, RFC 6888 REQ-11B).

The two RFCs disagree on its code: 13 (administratively prohibited) or 1 (host unreachable). The setting
`icmp_code` chooses between them.
"""

from __future__ import annotations

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Policy, Shortage


class IcmpPolicy(Policy):
    """Refuses with an ICMP error: the client learns of it at once, and may try again later."""

    def decide(self, shortage: Shortage) -> Decision:
        """Answer by ICMP, whichever limit was hit."""
        return Answer.ICMP
