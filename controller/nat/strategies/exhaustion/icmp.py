"""An ICMP error, "destination unreachable", to the sender (RFC 5508 REQ-8, RFC 6888 REQ-11B).

The two RFCs disagree on its code: 13 (administratively prohibited) or 1 (host unreachable). `icmp_code` chooses.
"""

from __future__ import annotations

from typing import ClassVar

from controller.nat.model import Answer
from controller.nat.strategies.exhaustion.policy import Decision, Shortage


class IcmpPolicy:
    """Refuses with an ICMP error: the client knows at once, and may try again later."""

    evicts: ClassVar[bool] = False

    def decide(self, shortage: Shortage) -> Decision:
        """Answer by ICMP."""
        return Answer.ICMP
