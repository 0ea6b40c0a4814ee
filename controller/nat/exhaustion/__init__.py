"""What becomes of a packet for which something ran short. One file and one line here for each policy."""

from __future__ import annotations

from typing import Protocol

from controller.nat.exhaustion.drop import Drop
from controller.nat.model import Limit, Refuse


class ExhaustionPolicy(Protocol):
    """Decides on a packet that cannot get what it needs."""

    def refuse(self, limit: Limit) -> Refuse:
        """Return the verdict on a packet that was stopped by `limit`."""
        ...


POLICIES: dict[str, type[ExhaustionPolicy]] = {
    "drop": Drop,
}
"""By the names of the setting `on_exhaustion`."""
