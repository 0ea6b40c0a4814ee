"""The pages with the measured matrices of pairs, against the model of hole punching."""

from __future__ import annotations

import pytest

from scenarios.shared.models.meeting import outcomes
from testbed.compare.variants import variants
from tests.support.paths import ROOT

WORDS = {(True, True): "meet", (False, False): "apart"}


@pytest.mark.parametrize(("page", "column"), [("pairs.md", "openflow"), ("pairs-netfilter.md", "netfilter")])
def test_every_measured_pair_is_what_the_model_allows(page: str, column: str) -> None:
    """All variants of both kinds are there, and a race has its mark."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    matrix = [line for line in lines if line.startswith(("| | e", "| **"))]
    head, *rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in matrix]

    assert head[1:] == [each.name for each in variants(column)]
    assert [row[0] for row in rows] == [each.name for each in variants("openflow")]
    for name, *cells in rows:
        for other, cell in zip(head[1:], cells, strict=True):
            alice, bob = ((each[:3], each[4:]) for each in (name, other))
            possible = {WORDS[each] for each in outcomes(alice, bob)}
            assert cell.rstrip("?") in possible, f"{name} and {other}"
            assert cell.endswith("?") == (len(possible) > 1)
