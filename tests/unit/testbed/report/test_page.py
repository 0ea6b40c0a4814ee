"""`report.html`: one file that needs nothing else, whatever is in the results."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from testbed.report.page import BUDGET, bench_page, comparison_page, run_page
from testbed.report.ports import Map, Seen
from testbed.report.sources import SITE
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.support.reports import Page, a_run, failed
from tests.support.results import FAILED, HELD, checks, finished

HOSTILE = "\"><script>alert('1')</script><img src=//x onerror=y>{{ 7*7 }}&amp;\u202e\x1b[31m\0\ud800"
SIZES = 100_000


def whole_run() -> dict[str, Any]:
    """The results of a real run, with something in each part of the page."""
    plan = resolve(
        "port-exhaustion", "openflow", Choices(sets=["ports=8", "on_exhaustion=icmp"]), datapath="userspace"
    )
    told = [
        *checks(HELD, {**FAILED, "source": "RFC 5382 REQ-5, RFC 7857 section 2.1; a <setting>"}),
        {"kind": "outcomes", "outcomes": {"established": 8, "icmp": 2}},
        {"kind": "counters", "counters": {"ports_allocated": 8, "held_packets": 0, "total_sessions": None}},
        {"kind": "story", "text": "8 clients tried.\nTwo were refused."},
        {"kind": "environment", "environment": {"kernel": "6.1"}},
        {"kind": "machine", "machine": {"busy": {"late_s": 0.01}}},
        {"kind": "series", "series": {"phases": [{"phase": "fill", "seconds": 1.5}], "jain_index": 0.5}},
        {"kind": "series", "series": {"fairness": [{"client": "alice", "asked": 4, "served": 2}]}},
        {"kind": "series", "series": {"not_looked_at": {"port-order": "too few ports"}}},
    ]
    when = {"started": "2026-01-02T03:04:05+00:00", "duration_s": 7.25}
    return json.loads(json.dumps({**finished(plan, *told).as_json({}), **when}))  # type: ignore[no-any-return]


def hostile_run(text: str = HOSTILE, many: int = 50) -> dict[str, Any]:
    """Results in which every text is a student's, and every list is long."""
    names = {f"{place}{text}": text for place in range(many)}
    numbers = {f"{place}{text}": 10**30 for place in range(many)}
    rows = [{"name": text, "a": 1e308, "b": -1, "c": [1, None, text], "d": numbers} for _ in range(many)]
    place = {"kind": text, "lines": [text] * many}
    return a_run(
        **{"scenario": f"/tmp/{text}.py:X", "gateway": text, "profile": text, "topology": text, "question": text},
        **{"claim": text, "story": text * many, "error": text, "last_words": text * many, "commit": text},
        **{"parameters": names, "settings": {**names, "ports": 10**9}, "chosen": names, "environment": names},
        **{"packages": names, "machine": {**names, "busy": names}, "outcomes": numbers, "counters": numbers},
        checks=[
            failed(f"{place}{text}", source=f"{text} RFC 1, " * 9, expected=text, observed=rows[:3])
            for place in range(many)
        ],
        series={**{f"s{place}{text}": rows for place in range(20)}, **names, "phases": rows, "capture": text},
        command=[text] * many,
        network={
            "places": [{**place, "name": f"{n}{text}"} for n in range(many)],
            "links": [[f"0{text}", f"1{text}"]] * many,
        },
    )


def compared(*runs: dict[str, Any]) -> dict[str, Any]:
    """The results of a comparison."""
    text = str(runs[0]["question"]) if runs[0].get("question") else ""
    row = {
        "scenario": runs[0]["scenario"],
        "question": text,
        "claim": text,
        "showed": {run["gateway"]: text for run in runs},
    }
    different = {
        "scenario": runs[0]["scenario"],
        "kind": "check",
        "what": text,
        "values": {},
        "sentence": text or "They differ.",
    }
    return {
        "schema": 1,
        "started": runs[0]["started"],
        "scenarios": [row],
        "runs": [*runs],
        "differences": [different],
    }


def benched(text: str = "setup", many: int = 3) -> dict[str, Any]:
    """The results of a bench."""
    figures = {"median": 2.0, "min": 1.0, "max": 3.0}
    row = {"subject": text, "parameters": {"fill": 0.5, text: text}, "unit": text, **figures}
    ratio = {"of": text, "to": text, "parameters": {}, **figures}
    described = {"note": text, "error": text, "parameters": {text: text}, "environment": {text: text}}
    return {
        **{
            "schema": 1,
            "bench": text,
            "started": "2026-01-02T03:04:05+00:00",
            "duration_s": 1.0,
            "repetitions": 5,
        },
        **{**described, "rows": [row] * many, "ratios": [ratio] * many, "left_out": {text: text}},
    }


PAGES = {
    "run": lambda: run_page(whole_run(), Seen("This run has no recording.")),
    "least run": lambda: run_page(a_run(checks=[])),
    "hostile run": lambda: run_page(hostile_run()),
    "comparison": lambda: comparison_page(compared(whole_run(), {**whole_run(), "gateway": "netfilter"})),
    "hostile comparison": lambda: comparison_page(compared(hostile_run(), {**hostile_run(), "gateway": "b"})),
    "bench": lambda: bench_page([benched()]),
    "hostile bench": lambda: bench_page([benched(HOSTILE, 50)] * 3),
}


@pytest.fixture(params=PAGES)
def text(request: pytest.FixtureRequest) -> str:
    """The text of each kind of page."""
    return PAGES[request.param]()


def test_a_page_has_everything_in_this_order() -> None:
    """From the question and its answer to the machine, and the command that repeats it."""
    page = Page.of(run_page(whole_run(), Seen("This run has no recording.")))

    shown = [
        "Can a NAT run out of ports toward one service",
        "FAIL",
        "Answer 1 of 2 checks did not hold. it fails: expected 1, observed 2 (RFC 5382 REQ-5",
        "Of 10 attempts, 8 were established and 2 were refused by an ICMP error.",
        "What happened 8 clients tried.",
        "The network",
        "Settings",
        "ports 8 ports",
        "Checks",
        "FAILED",
        "What nobody could look at Check Why Port-order too few ports",
        "Outcomes Attempts by outcome",
        "Figures What each host asked for, and what it got",
        "This run has no recording.",
        "Phases",
        "Measurements",
        "The gateway's own counters",
        "Settings at their defaults",
        "Machine and programs",
        "sudo ./lastport run port-exhaustion --set ports=8 --set on_exhaustion=icmp",
    ]
    found, at = [], 0
    for words in shown:
        at = page.text.find(words, at)
        found.append((words, at >= 0))
        at = max(at, 0)
    assert found == [(words, True) for words in shown]


def test_every_page_is_well_formed(text: str) -> None:
    """Each element that is opened is closed, and no attribute is there twice."""
    page = Page.of(text)

    assert page.mistakes == []
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    identifiers = [found for _, attributes in page.elements if (found := attributes.get("id"))]
    assert len(identifiers) == len(set(identifiers))


def test_a_page_needs_nothing_but_itself(text: str) -> None:
    """No script, nothing from elsewhere, and no link but to the RFC Editor and to its own parts."""
    page = Page.of(text)

    assert not page.having("script")
    places = {attributes.get("id") for _, attributes in page.elements}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("href", "src", "action", "data", "poster", "srcset", "style"):
            target = attributes.get(name)
            if target is not None and not target.startswith((SITE, "data:image/png;base64,")):
                assert target == "data:," or (target[0] == "#" and target[1:] in places), (tag, target)
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|//", style)


def test_a_page_can_be_read_by_a_screen_reader(text: str) -> None:
    """Headings come in order, tables have heads with a scope, and each picture has words."""
    page = Page.of(text)

    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(head.get("scope") for head in page.having("th"))
    assert all(image.get("alt") for image in page.having("img"))
    for number, (tag, attributes) in enumerate(page.elements):
        if tag == "svg" and attributes.get("aria-hidden") is None:
            assert attributes["role"] == "img"
            assert [tag for tag, _ in page.elements[number + 1 : number + 3]] == ["title", "desc"]
            titled = (attributes["aria-labelledby"] or "").split()
            assert titled == [given["id"] for _, given in page.elements[number + 1 : number + 3]]


def test_a_page_is_the_same_bytes_for_the_same_results() -> None:
    """It asks neither the clock nor chance, and not even the order of a set."""
    for make in PAGES.values():
        assert make() == make()


def test_what_a_student_has_written_is_text() -> None:
    """No tag, no template, no character that turns the text round, none that a terminal obeys."""
    page = run_page(hostile_run())

    assert "<script>" not in page
    assert "<img src=//x" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert not [sign for sign in page if not sign.isprintable() and sign != "\n"]
    page.encode()


@pytest.mark.parametrize("letter", ['"', "\N{PILE OF POO}", "RFC 1,"])
def test_no_results_make_a_page_too_large(letter: str) -> None:
    """A hundred thousand checks, long strings, each letter of which takes the most bytes."""
    text = letter * (3000 // len(letter))
    run = hostile_run(text, 120)
    seen = Seen(full=[a_map()] * 4, strip=[a_map()] * 12, over_time=[], legend=[("free", "#000000")])
    run["checks"] = [failed(text, expected=text, observed=text, source=text)] * SIZES
    other = {**run, "gateway": "b", "checks": run["checks"][:2000]}

    pages = [
        run_page(run, seen),
        comparison_page(compared(other, {**other, "gateway": "c"})),
        bench_page([benched(text, 999)] * 9),
    ]

    for page in pages:
        assert 10_000 < len(page.encode()) < BUDGET


def a_map() -> Map:
    """A map of a full pool as large as it can be."""
    return Map("all ports", "data:image/png;base64," + "A" * 44_000, "64,512 ports", 256, 252)


def test_of_too_many_checks_those_that_failed_come_first() -> None:
    """The number of the others is there."""
    page = Page.of(run_page(a_run(verdict="fail", checks=[*a_run()["checks"] * 5000, failed("the needle")])))

    assert "✗ FAILED the needle" in page.text
    assert "4,601 more checks have no room here." in page.text


def test_a_run_that_broke_has_no_answer_and_the_last_words() -> None:
    """No NAT is to blame."""
    page = Page.of(
        run_page(a_run(verdict="error", error="the controller ended", last_words="Traceback", checks=[]))
    )

    assert "There is no answer, since the run broke: the controller ended." in page.text
    assert "The last words of what failed Traceback" in page.text


def test_a_comparison_has_a_column_for_each_gateway_and_what_differs_first() -> None:
    """Also the outcomes of all of them in one figure, and why one cannot run."""
    one, other = whole_run(), {**whole_run(), "gateway": "netfilter"}
    other["checks"] = [{**HELD, "expected": 2, "observed": 2}, FAILED]
    cannot = {
        "schema": 1,
        "scenario": one["scenario"],
        "gateway": "box",
        "verdict": "cannot",
        "reason": "it is a box; take another",
    }

    page = Page.of(comparison_page(compared(one, other, cannot)))

    assert [head for head in ("openflow", "netfilter", "box") if head in page.text] == [
        "openflow",
        "netfilter",
        "box",
    ]
    assert "What differs it holds 1 expected: 1" not in page.text
    assert re.search(r"What differs it holds 1 2 - it fails ✗ FAILED: 2 expected: 1", page.text)
    assert "Cannot run on box: it is a box" in page.text
    assert "openflow: 8, 2; netfilter: 8, 2" in page.text


def test_a_bench_has_its_rows_and_a_figure_for_each_unit() -> None:
    """Its caveat comes first."""
    page = Page.of(bench_page([benched("flows/s", 2)]))

    assert "Medians in flows/s" in page.text
    assert "2 (1 to 3)" in page.text
    assert "Ratios, each taken within a repetition" in page.text
