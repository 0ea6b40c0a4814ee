"""A trial that needs no network: it calls a function that measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from testbed.bench.bench import Measured
from testbed.run.machine import machine, programs


@dataclass(frozen=True, slots=True)
class DirectTrial:
    """A trial that is one call of a function."""

    subject: str
    title: str
    call: Callable[[], Measured]

    def lacks(self) -> str:
        """Return an empty string: such a trial needs no more than every lab does."""
        return ""

    def measure(self) -> Measured:
        """Call the function, and add a description of the machine."""
        found = self.call()
        return Measured(found.samples, {**machine(), **programs(), **found.environment})
