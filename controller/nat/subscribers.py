"""Subscribers: inside addresses, and the mappings of each. Quotas apply to them (RFC 6888 REQ-4, RFC 7659)."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.nat.model import Protocol


@dataclass(slots=True, eq=False)
class Subscriber:
    """An inside address with mappings. `external_address` is the one that it is paired with, if any."""

    address: int
    external_address: int | None = None
    mappings: dict[Protocol, int] = field(default_factory=lambda: dict.fromkeys(Protocol, 0))
    total: int = 0
    """The number of its mappings, of all protocols."""
