"""Signals: they break off a run, and never the writing of its results."""

from __future__ import annotations

import signal

import pytest

from testbed.run.launch import Interrupted, _Interruptions


def test_a_signal_breaks_off_a_run_once() -> None:
    """A second signal must not disturb the end that the first one brought about."""
    interruptions = _Interruptions()
    interruptions.heed()

    with pytest.raises(Interrupted, match="SIGTERM"):
        interruptions(signal.SIGTERM, None)
    interruptions(signal.SIGINT, None)


def test_a_signal_between_two_runs_breaks_off_the_next() -> None:
    """The signal waits while results are written, and is not lost."""
    interruptions = _Interruptions()
    interruptions.heed()
    interruptions.defer()

    interruptions(signal.SIGINT, None)

    with pytest.raises(Interrupted, match="SIGINT"):
        interruptions.heed()
