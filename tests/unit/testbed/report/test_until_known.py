"""The figure of how long clients waited until they knew."""

from __future__ import annotations

import re
from typing import Any

import pytest

from testbed.report.page import run_page
from testbed.report.until_known import TITLE, drawn
from tests.support.reports import Page, a_run

ROWS = [
    {"outcome": "established", "attempts": 9, "seconds": [0.0, 0.01, 0.2]},
    {"outcome": "timeout", "attempts": 3, "seconds": [3.0, 3.1, 3.2]},
]


def test_a_sentence_has_the_figures_for_those_who_do_not_see_the_picture() -> None:
    """It is the picture's description, and its caption."""
    page = run_page(a_run(series={"until_known": ROWS}, outcomes={"established": 9, "timeout": 3}))

    said = "established: half within 0.01 s, all within 0.2 s. timeout: half within 3.1 s, all within 3.2 s."
    assert re.search(rf"<desc id=.until-known-text.>[^<]*{re.escape(said)}</desc>", page)
    assert page.count(f'<title id="until-known-title">{TITLE}</title>') == 1
    assert not Page.of(page).mistakes


def test_all_lines_end_at_the_longest_wait_where_all_know() -> None:
    """There is a line for each outcome, from the beginning of the attempt on."""
    figure = drawn({"until_known": ROWS}, "k")

    assert figure is not None
    curves = re.findall(r'd="M([^"L]*)L[^"]*L([^"L]*)" class="s[01]"', str(figure.picture))
    assert len(curves) == 2
    assert len(set(curves)) == 1


def test_the_same_results_make_the_same_picture() -> None:
    """To the byte."""
    assert drawn({"until_known": ROWS}, "k") == drawn({"until_known": [*map(dict, ROWS)]}, "k")


@pytest.mark.parametrize(
    "series",
    [
        {},
        {"until_known": 5},
        {"until_known": []},
        {"until_known": [{"outcome": 5, "seconds": [1]}]},
        {"until_known": [{"outcome": "timeout", "seconds": "long"}]},
        {"until_known": [{"outcome": "timeout", "seconds": ["long", None, True]}]},
        {"until_known": {"timeout": {"seconds": []}}},
    ],
    ids=str,
)
def test_what_has_another_shape_is_not_drawn(series: dict[str, Any]) -> None:
    """Any program may have written the results."""
    assert drawn(series, "k") is None


@pytest.mark.parametrize("seconds", [[0.0], [-1.0, 5.0], [1e300] * 3, [1e-9, 1e9]], ids=str)
def test_whatever_the_numbers_are_they_are_drawn(seconds: list[float]) -> None:
    """Without an error, and with the words of the outcome escaped."""
    figure = drawn({"until_known": [{"outcome": "<&", "seconds": seconds}]}, "k")

    assert figure is not None or seconds == [1e300] * 3
    assert figure is None or "<&" not in str(figure.picture)
