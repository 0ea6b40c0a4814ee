"""The table that a page has of a bench, in Markdown."""

from __future__ import annotations

import pytest

from testbed.bench.repetitions import carried_out, planned
from testbed.bench.table import markdown


def test_the_note_of_a_bench_stands_on_the_page() -> None:
    """The note comes before the table."""
    held = {"note": "single host, not RFC-grade", "rows": [], "ratios": []}

    assert markdown(held).startswith("Single host, not RFC-grade.\n\n| subject")


@pytest.mark.usefixtures("race")
def test_the_table_for_a_page_has_a_line_for_each_row_and_ratio() -> None:
    """The table is Markdown."""
    (plan,) = planned("race", ["subjects=[hare, tortoise]"], 3)

    assert markdown(carried_out(plan, 3)).splitlines() == [
        "| subject | fill | median | least | most | unit |",
        "| --- | --- | ---: | ---: | ---: | --- |",
        "| hare | 0.5 | 30 | 10 | 40 | flows/s |",
        "| tortoise | 0.5 | 10 | 5 | 30 | flows/s |",
        "| hare / tortoise | 0.5 | 2 | 1 | 4 | times |",
    ]
