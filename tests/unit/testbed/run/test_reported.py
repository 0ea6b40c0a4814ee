"""What a run may report, and what becomes of anything else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.run.reported import checked
from testbed.run.schema import RunResults
from tests.support.reports import a_run

CHECK = {"key": "k", "claim": "c", "expected": 1, "observed": [2], "ok": False, "source": "s"}
RIGHT: list[dict[str, Any]] = [
    {"kind": "begun"},
    {"kind": "done"},
    {"kind": "phase", "name": "fill"},
    {"kind": "progress", "done": 1, "total": 2},
    {"kind": "check", "check": CHECK},
    {"kind": "environment", "environment": {"kernel": "6.1"}},
    {"kind": "outcomes", "outcomes": {"established": 1}},
    {"kind": "counters", "counters": {"ports_free": 1, "held_packets": None}},
    {"kind": "series", "series": {"samples": [1, {"a": 2}], "not_looked_at": {"transfer": "none"}}},
    {"kind": "series", "series": {"capture": {"inside": {"frames": 1, "dropped": 0}}}},
    {"kind": "machine", "machine": {"busy": {"late_s": 0.1}}},
    {"kind": "story", "text": "Two hosts\n\tand a NAT…"},
    {"kind": "something else", "of": ["another"]},
]


@pytest.mark.parametrize("record", RIGHT, ids=lambda record: record["kind"])
def test_a_record_of_ours_stays_as_it_is(record: dict[str, Any]) -> None:
    """Nothing is lost, and nothing is added."""
    assert checked(record) == record


@pytest.mark.parametrize(
    ("record", "mistake"),
    [
        ({"kind": "check", "check": 5}, "check at /check: found 5, expected: an object"),
        ({"kind": "check"}, "check at /check: found nothing, expected this key"),
        (
            {"kind": "check", "check": {**CHECK, "ok": "yes"}},
            'check at /check/ok: found "yes", expected: a valid boolean',
        ),
        (
            {"kind": "check", "check": {**CHECK, "observed": {"a": [1, math.nan]}}},
            "check at /check/observed/a/1: found NaN, expected: a finite number",
        ),
        (
            {"kind": "outcomes", "outcomes": {"established": -1}},
            "outcomes at /outcomes/established: found -1, expected: greater than or equal to 0",
        ),
        ({"kind": "counters", "counters": []}, "counters at /counters: found a list of 0, expected: an object"),
        (
            {"kind": "series", "series": {"rows": [[math.inf]]}},
            "series at /series/rows/0/0: found Infinity, expected: a finite number",
        ),
        (
            {"kind": "series", "series": {"capture": 5}},
            "series at /series/capture: found 5, expected: an object",
        ),
        (
            {"kind": "series", "series": {"not_looked_at": ["all"]}},
            "series at /series/not_looked_at: found a list of 1, expected: an object",
        ),
        ({"kind": "machine", "machine": "quick"}, 'machine at /machine: found "quick", expected: an object'),
        ({"kind": "phase", "name": 1}, "phase at /name: found 1, expected: a valid string"),
        (
            {"kind": "progress", "done": "all", "total": 1},
            'progress at /done: found "all", expected: a valid number',
        ),
        (
            {"kind": "progress", "done": "1", "total": 1},
            'progress at /done: found "1", expected: a valid number',
        ),
        (
            {"kind": "counters", "counters": {"\x1b[2J": "all"}},
            r'counters at /counters/\x1b[2J: found "all", expected: a valid integer',
        ),
        (
            {"kind": "broken", "reason": 1, "last_words": ""},
            "broken at /reason: found 1, expected: a valid string",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_of_another_shape_ends_the_run(record: dict[str, Any], mistake: str) -> None:
    """The reason names the record, the place in it, what is there, and what belongs there."""
    found = checked(record)

    assert found["kind"] == "broken"
    assert found["reason"].startswith(f"it reported what no scenario reports: {mistake}")
    assert found["last_words"] == ""


def test_what_a_run_may_report_matches_the_schema_of_results() -> None:
    """There is one description of both, so that no run writes results which cannot be read again."""
    keys = {"environment", "outcomes", "counters", "series", "machine"}
    reported = {key: record[key] for record in RIGHT for key in record if key in keys}

    assert set(reported) == keys
    RunResults.model_validate(a_run(**reported, checks=[CHECK]))


def test_kinds_that_are_no_text_are_passed_over() -> None:
    """Nobody knows them."""
    assert checked({"kind": ["check"]}) == {"kind": ["check"]}


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "story", "text": "\x1b[2J"},
        {"kind": "phase", "name": "\x1b[2J"},
        {"kind": "check", "check": {**CHECK, "claim": "\x1b[2J"}},
        {"kind": "check", "check": {**CHECK, "observed": "\x1b[2J"}},
        {"kind": "broken", "reason": "\x1b[2J", "last_words": ""},
        {"kind": "series", "series": {"not_looked_at": {"\x1b[2J": "\x1b[2J"}}},
        {"kind": "series", "series": {"rows": [{"\x1b[2J": ["\x1b[2J"]}]}},
    ],
    ids=lambda record: record["kind"],
)
def test_no_text_moves_a_terminal_s_cursor(record: dict[str, Any]) -> None:
    """A control character is shown as an escape."""
    shown = "".join(texts(checked(record)))

    assert "\x1b" not in shown
    assert r"\x1b[2J" in shown


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a record, also those that are keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value:
            yield from texts(each)
        if isinstance(value, dict):
            yield from texts([*value.values()])
