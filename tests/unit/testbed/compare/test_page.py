"""The page of a comparison, in Markdown."""

from __future__ import annotations

from testbed.compare.comparison import Planned
from testbed.compare.differences import differences
from testbed.compare.page import page
from tests.support.results import result


def test_the_page_has_the_matrix_the_machine_and_the_reasons() -> None:
    """The reasons are those of runs that broke, and of scenarios that a gateway cannot run."""
    runs = [
        result("a", established=3),
        {**result("b", verdict="error"), "error": "it fell over"},
        Planned("t", "a", None, "it cannot hold").cannot(),
    ]
    text = page({"runs": runs, "differences": differences(runs)})

    assert "| scenario | a | b |\n|---|---|---|\n| [s](#s) | pass, 1.0 s | error, 1.0 s |\n" in text
    assert "| [t](#t) | cannot | - |" in text
    assert "| kernel | 6 |" in text
    assert "- On b the run broke: it fell over" in text
    assert "- t on a: it cannot hold" in text
