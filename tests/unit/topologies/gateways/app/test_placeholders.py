"""Names in braces in a command, and braces that are the command's own."""

from __future__ import annotations

import pytest

from topologies.gateways.app import placeholders


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{inside}:{first_port}", "in1:1024"),
        ("{", "{"),
        ("{}", "{}"),
        ("{dpid:s} {inside!z}", "{dpid:s} {inside!z}"),
        ('{"port": {first_port}}', '{"port": 1024}'),
        ("{print}", "{print}"),
    ],
)
def test_a_name_of_a_fact_is_filled_in_and_nothing_else(word: str, filled: str) -> None:
    """Python's own formats mean nothing there, and break nothing."""
    assert placeholders.filled([word], {"inside": "in1", "first_port": 1024, "dpid": 1}) == [filled]


def test_names_are_found_in_their_order() -> None:
    """So that one that is no fact's can be refused before anything starts."""
    assert placeholders.names(["-i", "{inside}:{print}", "{} {outside:q}"]) == ["inside", "print"]
