"""A bench whose subjects give known figures: a hare, a tortoise, and a snail that is not here."""

from __future__ import annotations

from typing import Any, ClassVar

from testbed.bench.bench import Bench, Measured, Ratio, Sample

PLACE = {"fill": 0.5}


def sample(subject: str, value: float, **details: float) -> Sample:
    """Return one figure."""
    return Sample(subject, PLACE, "flows/s", value, details)


class Known:
    """A trial that gives a list of values, one for each repetition, and notes when it was measured."""

    def __init__(self, subject: str, values: list[float], order: list[str], lacking: str = "") -> None:
        self.subject = self.title = subject
        self._values = iter(values)
        self._order = order
        self._lacking = lacking

    def lacks(self) -> str:
        """Return what was given."""
        return self._lacking

    def measure(self) -> Measured:
        """Return the next value."""
        self._order.append(self.subject)
        facts = {"kernel": "6", "framework": f"of the {self.subject}", f"legs of the {self.subject}": "4"}
        return Measured([sample(self.subject, next(self._values))], facts)


class Race(Bench):
    """Who is faster?"""

    name = "race"
    subjects = ("hare", "tortoise", "snail")
    ratios = (Ratio("hare", "tortoise", "flows/s"),)
    order: ClassVar[list[str]] = []

    @classmethod
    def trials(cls, parameters: Any) -> list[Known]:
        """Three subjects, of whom one is not here."""
        cls.order.clear()
        return [
            Known("hare", [10.0, 40.0, 30.0], cls.order),
            Known("tortoise", [5.0, 10.0, 30.0], cls.order),
            Known("snail", [], cls.order, lacking="no snail here"),
        ]
