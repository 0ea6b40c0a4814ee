"""A row of places against a list of them: what is taken, and the first free place of a stretch."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from controller.nat.strategies.allocators.row import PLACES_PER_ENTRY, Row


@pytest.mark.parametrize("size", [1, 5, 3 * PLACES_PER_ENTRY], ids="{} places".format)
@given(data=st.data())
def test_a_row_follows_its_model(size: int, data: st.DataObject) -> None:
    """A row and a list of booleans agree, whether few or many places are taken."""
    row, model = Row(size), [True] * size
    places = st.integers(0, size - 1)
    for place in data.draw(st.lists(places, max_size=2 * size)):
        if data.draw(st.integers(0, 3)):
            assert row.take(place) == model[place]
            model[place] = False
        elif not model[place]:
            row.give_back(place)
            model[place] = True
        assert len(row) == sum(model)
        start, tries = data.draw(places), data.draw(st.integers(1, 2 * size))
        stretch = [each % size for each in range(start, start + tries)]
        assert row.first_free(start, tries) == next((each for each in stretch if model[each]), None)


def test_a_block_of_taken_places_is_passed_over() -> None:
    """At the end of the row the search goes on at its beginning."""
    row = Row(1000)
    for place in (*range(900, 1000), *range(20)):
        row.take(place)
    assert row.first_free(950, 70) is None
    assert row.first_free(950, 71) == 20
