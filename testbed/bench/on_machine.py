"""A trial that needs no network: it calls a function that measures."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from testbed.bench.bench import BreakOffError, Measured
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
        """Call the function, and add a description of the machine. Raises BreakOffError if Ctrl-C is pressed."""
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            found = self.call()
        except KeyboardInterrupt:
            raise BreakOffError("interrupted by SIGINT") from None
        finally:
            signal.signal(signal.SIGINT, before)
        return Measured(found.samples, {**machine(), **programs(), **found.environment})
