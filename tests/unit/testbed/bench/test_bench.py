"""Every bench: its name, its question, and the subjects of its ratios."""

from __future__ import annotations

import itertools

from testbed.bench.bench import Parameters
from testbed.registry import ours


def test_every_bench_has_its_own_name_and_asks_a_question() -> None:
    """The names are those of the command line."""
    for name, bench in ours("bench").items():
        assert bench.name == name
        assert bench.question().endswith("?")
        assert bench.subjects
        assert issubclass(bench.Parameters, Parameters)


def test_ratios_name_subjects_that_there_are() -> None:
    """A misspelt one would silently give no ratio."""
    for bench in ours("bench").values():
        for ratio in itertools.chain.from_iterable((each.of, each.to) for each in bench.ratios):
            assert ratio in bench.subjects
