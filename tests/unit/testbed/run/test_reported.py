"""What a run may report, and what becomes of anything else."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.run.reported import checked

CHECK = {"key": "k", "claim": "c", "expected": 1, "observed": [2], "ok": False, "source": "s"}
RIGHT: list[dict[str, Any]] = [
    {"kind": "begun"},
    {"kind": "done"},
    {"kind": "phase", "name": "fill"},
    {"kind": "progress", "done": 1, "total": 2},
    {"kind": "check", "check": CHECK},
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
    ("record", "place"),
    [
        ({"kind": "check", "check": 5}, "check with check:"),
        ({"kind": "check"}, "check with check:"),
        ({"kind": "check", "check": {**CHECK, "ok": "yes"}}, "check with check.ok:"),
        ({"kind": "check", "check": {**CHECK, "key": None}}, "check with check.key:"),
        ({"kind": "outcomes", "outcomes": {"established": "all"}}, "outcomes with outcomes.established:"),
        ({"kind": "counters", "counters": []}, "counters with counters:"),
        ({"kind": "series", "series": {"capture": 5}}, "series with series.capture:"),
        ({"kind": "series", "series": {"not_looked_at": ["all"]}}, "series with series.not_looked_at:"),
        ({"kind": "machine", "machine": "quick"}, "machine with machine:"),
        ({"kind": "phase", "name": 1}, "phase with name:"),
        ({"kind": "progress", "done": "all", "total": 1}, "progress with done:"),
        ({"kind": "story", "text": {}}, "story with text:"),
        ({"kind": "broken", "reason": 1, "last_words": ""}, "broken with reason:"),
    ],
)
def test_a_record_of_another_shape_ends_the_run(record: dict[str, Any], place: str) -> None:
    """The reason names the record and the field."""
    found = checked(record)

    assert found["kind"] == "broken"
    assert found["reason"].startswith(f"it reported what no scenario reports: {place} ")
    assert found["last_words"] == ""


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
    ],
    ids=lambda record: record["kind"],
)
def test_no_text_moves_a_terminal_s_cursor(record: dict[str, Any]) -> None:
    """A control character is shown as an escape."""
    shown = str(checked(record))

    assert "\x1b" not in shown
    assert "x1b[2J" in shown
