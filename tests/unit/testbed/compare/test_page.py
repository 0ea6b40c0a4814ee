"""The page of a comparison, in Markdown."""

from __future__ import annotations

from testbed.compare.comparison import Planned
from testbed.compare.differences import differences
from testbed.compare.page import page
from testbed.compare.showed import showed
from tests.support.results import check, result


def test_the_page_has_the_matrix_what_was_shown_the_reasons_and_the_machine() -> None:
    """In this order. The reasons are those of runs that broke, and of scenarios that a gateway cannot run."""
    runs = [
        result("a", check("exactly 3", 3, 3, key="n"), check("only a", 1, 1), established=3),
        {**result("b", verdict="error"), "error": "it fell over"},
        result("c", check("nearly 3", "2 to 3", 2, True, key="n"), established=2),
        Planned("release", "a", None, "it cannot hold; take another").cannot(),
    ]
    runs = [{**run, "scenario": run["scenario"].replace("s", "eviction", 1)[:8]} for run in runs[:3]] + runs[3:]
    told = {"version": "1.2", "commit": "abc", "started": "2026", "scenarios": showed(runs), "runs": runs}

    text = page({**told, "differences": differences(runs)})

    shown = [
        "| scenario | a | b | c |\n|---|---|---|---|\n| [eviction](#eviction) | pass, 1.0 s | error, 1.0 s | pass",
        "| [release](#release) | cannot | - | - |",
        "begun at 2026, with lastport 1.2 (commit abc).",
        "### eviction\n\n*the least recently used connection",
        "- a: 3 established\n- b: broke: it fell over\n- c: 2 established\n",
        'Where they differ:\n\n- "3": 3 with a, 2 to 3 with c.\n',
        "Not asked with c: only a.\n",
        "- a: cannot run\n",
        "## What cannot run\n\n- release on a: it cannot hold\n",
        "| kernel | 6 |",
    ]
    assert [words for words in shown if words not in text] == []
    assert [text.index(words) for words in shown] == sorted(text.index(words) for words in shown)
