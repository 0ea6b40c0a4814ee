"""Counting the packets that never reach the NAT: those that the controller drops, and those that a rule drops.

The rules' own counts are the switch's, and begin again when its tables are filled anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.openflow.rules import Stopped


@dataclass(slots=True)
class Drops:
    """Counts since the start, of all protocols."""

    expired: int = 0
    """Packets whose TTL was used up."""
    unrouted: int = 0
    """Packets to destinations without a route."""
    invalid: int = 0
    """Packets with a wrong checksum, version or length (RFC 1812 section 5.2.2)."""
    untranslated: int = 0
    """Packets of protocols that are not translated."""
    _by_rules: dict[Stopped, int] = field(default_factory=lambda: dict.fromkeys(Stopped, 0))
    _before: dict[Stopped, int] = field(default_factory=lambda: dict.fromkeys(Stopped, 0))

    def by_rules(self, why: Stopped) -> int:
        """Return how many packets rules have dropped for a reason, as last summed up."""
        return self._before[why] + self._by_rules[why]

    def summed_up(self, why: Stopped, packets: int) -> None:
        """Take the switch's sum for a reason."""
        self._by_rules[why] = packets

    def restarted(self) -> None:
        """Take note that the rules count from zero again."""
        for why in Stopped:
            self._before[why] += self._by_rules[why]
            self._by_rules[why] = 0
