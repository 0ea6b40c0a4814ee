"""The kernel's own way of putting a link under conditions, in the words of tc."""

from __future__ import annotations

import pytest

from topologies.network.conditions import Conditions
from topologies.network.qdiscs import discipline, kind


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (Conditions(rate=8e6), "tbf rate 8000000bit burst 5000 limit 1500000"),
        (Conditions(rate=64e3), "tbf rate 64000bit burst 3000 limit 1500000"),
        (Conditions(delay=0.02), "netem limit 100000 delay 20000us 0us"),
        (Conditions(delay=0.02, jitter=0.005), "netem limit 100000 delay 20000us 5000us"),
        (Conditions(loss=0.001), "netem limit 100000 loss random 0.100000%"),
        (
            Conditions(delay=0.02, loss=0.01, reordering=0.25, rate=12e6),
            "netem limit 1020 delay 20000us 0us loss random 1.000000% reorder 25.000000% rate 12000000bit",
        ),
    ],
)
def test_conditions_are_written_as_tc_takes_them(conditions: Conditions, words: str) -> None:
    """A rate alone is tbf's, and everything else netem's."""
    assert discipline(conditions) == words
    assert words.startswith(kind(conditions))
