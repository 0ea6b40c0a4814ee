"""Bars: their parts have the right lengths, and can be told apart without colours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.run.live import bar
from testbed.run.live.bar import STATES, cells_of
from topologies.gateways.gauges import PortGauge


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=5), st.integers(0, 200))
def test_a_bar_is_as_long_as_it_has_to_be_and_shows_every_part(numbers: list[int], width: int) -> None:
    """A single port of 64,512 is a cell, as long as there is one for each part; nothing is none."""
    cells = cells_of(numbers, width)

    assert sum(cells) == (width if sum(numbers) else 0)
    if width >= len(numbers):
        assert [cell > 0 for cell in cells] == [number > 0 for number in numbers] or not sum(numbers)
    assert min(cells) >= 0


def test_the_states_of_ports_differ_by_their_patterns() -> None:
    """In both alphabets."""
    assert len({state.pattern for state in STATES}) == len({state.in_ascii for state in STATES}) == len(STATES)
    assert all(state.in_ascii.isascii() for state in STATES)
    gauge = PortGauge("192.0.2.1", "tcp", allocated=2, free=4, resting=1, held_down=1)

    assert bar.ports(gauge, 8, ascii_only=True).plain == "##=%...."
    assert bar.ports(gauge, 8, ascii_only=False).plain == "██▒▓░░░░"


def test_a_state_that_is_not_known_is_not_in_the_legend() -> None:
    """A number of 0 in use or free is there."""
    gauge = PortGauge("192.0.2.1", "tcp", allocated=0)

    assert [part.plain for part in bar.legend(gauge, ascii_only=True)] == ["# 0 in use"]
