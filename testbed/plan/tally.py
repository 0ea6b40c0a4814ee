"""What a simulation counts: attempts and refusals, by class, by destination, by limit, and by subscriber."""

from __future__ import annotations

from collections import Counter

from controller.nat.model import Limit


class Tally:
    """The counts since some time, for a number of classes and of destinations."""

    def __init__(self, classes: int, destinations: int) -> None:
        self.offered_by = [0] * classes
        self.offered_to = [0] * destinations
        self.refused_by = [0] * classes
        self.refused_to = [0] * destinations
        self.limits: Counter[Limit] = Counter()
        self.hit: Counter[int] = Counter()
        """The refused attempts of each subscriber that had any."""
        self.held = 0
        """The attempts that waited and were admitted."""

    @property
    def offered(self) -> int:
        """All attempts."""
        return sum(self.offered_by)

    @property
    def refused(self) -> int:
        """All that were refused."""
        return sum(self.refused_by)

    @property
    def refused_share(self) -> float:
        """The share of attempts that were refused."""
        return self.refused / self.offered if self.offered else 0.0

    def refuse(self, limit: Limit, subscriber: int, group: int, destination: int) -> None:
        """Count a refused attempt."""
        self.refused_by[group] += 1
        self.refused_to[destination] += 1
        self.limits[limit] += 1
        self.hit[subscriber] += 1
