"""A NAT after a long time of churn: `lastport test -m deep` has half an hour of it."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run


@pytest.mark.parametrize("minutes", [0.1, pytest.param(30.0, marks=pytest.mark.deep)])
def test_a_nat_that_churns_stays_what_it_was(run: Run, minutes: float) -> None:
    """Each round fills the pool, timers are exact, and neither the controller nor the switch grows."""
    finished = run("run", str(FILES / "soak.py"), "--set", f"minutes={minutes}", "--json")

    assert finished.status == 0, finished.failed or finished.output + finished.complaints
