"""How the witnesses date what they see."""

from __future__ import annotations

import itertools
from unittest import mock

import pytest

from testbed.evidence import witnesses


@pytest.mark.parametrize("undisturbed", range(witnesses.CLOCK_READINGS))
@pytest.mark.parametrize("where", [0, 1], ids=["before the epoch's clock", "after it"])
def test_an_interruption_between_two_clocks_dates_nothing_wrongly(undisturbed: int, where: int) -> None:
    """Each reading but one is interrupted for 3 ms; that one tells by how much the clocks are apart."""
    elapsed, ahead, readings = 0.0, 1_000_000.0, itertools.count()

    def passes(step: int) -> float:
        """Let a microsecond pass, and the interruption before a step of a reading."""
        nonlocal elapsed
        reading = next(readings) // 3
        elapsed += 1e-6 + (0.003 if step == where and reading != undisturbed else 0.0)
        return elapsed

    ends = itertools.cycle([2, 1])  # of `monotonic`: at the beginning of a reading, and at its end
    with mock.patch.object(witnesses, "time") as clocks:
        clocks.monotonic = lambda: passes(next(ends))
        clocks.time = lambda: ahead + passes(0)

        assert witnesses._since_epoch() == pytest.approx(ahead, abs=1e-5)
