"""Connections by the clock: how late they came."""

from __future__ import annotations

import dataclasses

from scenarios.shared.offers import lateness, timetable
from tests.support.experiments import NOWHERE, attempt


def test_lateness_is_that_of_the_latest_against_the_most_punctual() -> None:
    """The worker's clock begins at a moment of its own."""
    plan = timetable([0], NOWHERE, [0.0, 1.0, 2.0], 0.3)
    starts = {1: 50.2, 2: 51.5, 3: 52.2}
    attempts = [dataclasses.replace(attempt("established", number=n), sent_at=at) for n, at in starts.items()]

    assert round(lateness(plan, attempts), 3) == 0.3
    assert lateness([], []) == 0.0
