"""Silence: the packet is dropped, and its sender is told nothing (RFC 6888 REQ-11A asks for the drop).

RFC 5508 REQ-8 and RFC 6888 REQ-11B would have the NAT send an ICMP error as well.
"""

from __future__ import annotations

from controller.nat.model import Limit, Refuse


class Drop:
    """Refuses without a word."""

    def refuse(self, limit: Limit) -> Refuse:
        """Return a refusal that names the limit, for the counters only."""
        return Refuse(limit)
