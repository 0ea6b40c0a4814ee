"""Frames that make no sense, from both sides of the NAT."""

from __future__ import annotations

from tests.emulation.conftest import FILES, Run


def test_a_storm_of_random_frames_costs_nothing_that_lasts(run: Run) -> None:
    """The controller lives, memory and tables are bounded, nothing leaks, and every port is there after it."""
    finished = run("run", f"{FILES / 'storm.py'}:Storm", "--set", "ports=64", "--json")

    assert finished.status == 0, finished.output + finished.complaints
