"""A trial that needs no network: a function that measures, called here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from testbed.bench.bench import Measured
from testbed.run.machine import machine, programs


@dataclass(frozen=True, slots=True)
class DirectTrial:
    """One call."""

    subject: str
    title: str
    call: Callable[[], Measured]

    def lacks(self) -> str:
        """Return nothing: what every lab needs will do."""
        return ""

    def measure(self) -> Measured:
        """Call it, and describe the machine besides."""
        found = self.call()
        return Measured(found.samples, {**machine(), **programs(), **found.environment})
