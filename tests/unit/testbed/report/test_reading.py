"""Results that do not match their schema are refused, with the place; no file harms who reads it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings import ConfigurationError
from testbed.report.reading import MOST_BYTES, parsed, read
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.schema import ID, MODELS, schema
from tests.support.reports import CHECK, a_run, require_conforming
from tests.support.results import HELD, checks, finished

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*a_run(), "series", "x"]), inner),
    max_leaves=12,
)


def refusal(told: object) -> str:
    """Return the sentence with which a run's results are refused."""
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    with pytest.raises(ConfigurationError) as refused:
        parsed(text, "run", "results.json")
    return str(refused.value)


@pytest.mark.parametrize("scenario", ["port-exhaustion", "two-nats", "loss-curve"])
def test_what_a_run_writes_matches_and_has_no_key_that_is_not_described(scenario: str) -> None:
    """Every test in a lab that reads results requires it of them as well."""
    plan = resolve(scenario, "openflow", Choices(), datapath="userspace")
    broken = {"kind": "broken", "reason": "it fell", "last_words": "ouch"}

    for records in (checks(HELD), [broken]):
        require_conforming(json.loads(json.dumps(finished(plan, *records).as_json({"results": "r"}))))


def test_a_key_that_is_not_described_is_found() -> None:
    """Else the schema could lack any."""
    with pytest.raises(AssertionError, match="does not describe"):
        require_conforming(a_run(surprise=1))


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (a_run(checks=[CHECK, {**CHECK, "ok": "yes"}]), 'at /checks/1/ok: found "yes", expected: a valid boolean'),
        (a_run(checks=[{"key": "a"}]), "at /checks/0/claim: found nothing, expected this key"),
        (a_run(verdict="maybe"), "at /verdict: found \"maybe\", expected: 'pass', 'fail' or 'error'"),
        (a_run(schema=2), "at /schema: found 2, expected: 1"),
        (a_run(started="today"), "at /started: found \"today\", expected: Invalid isoformat string: 'today'"),
        (a_run(started="2026-01-01"), 'at /started: found "2026-01-01", expected: it has to have a time zone'),
        (
            a_run(counters={"a/b~c": "x" * 99}),
            f'at /counters/a~1b~0c: found "{"x" * 60}", expected: a valid integer',
        ),
        (
            a_run(outcomes={"established": -1}),
            "at /outcomes/established: found -1, expected: greater than or equal",
        ),
        (a_run(series=[1, 2]), "at /series: found a list of 2, expected: an object"),
        ([1], "at the top: found a list of 1, expected: an object"),
        (b"{", "is no JSON: Expecting property name"),
        (b"\xff", "is no JSON: 'utf-8' codec"),
        (b'{"a": NaN}', "is no JSON: NaN is no number in JSON"),
        (b"1" * 5000, "is no JSON: a number has 5,000 digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 40 + b"{}" + b"}" * 40, "at /a/a/a"),
    ],
    ids=str,
)
def test_what_does_not_match_is_refused_with_its_place(told: object, sentence: str) -> None:
    """The place is a JSON pointer, and what was found there is shown if it is short."""
    assert sentence in refusal(told)


def test_in_a_comparison_the_place_is_in_one_of_the_runs() -> None:
    """A model's name is no part of it."""
    told = {"schema": 1, "runs": [a_run(), a_run(checks=[{**CHECK, "source": None}])]}

    with pytest.raises(ConfigurationError, match="at /runs/1/checks/0/source: found null"):
        parsed(json.dumps(told).encode(), "compare", "compare.json")


@given(JSON)
def test_whatever_a_file_has_it_is_read_or_refused(told: Any) -> None:
    """Without any other exception."""
    for kind in MODELS:
        for text in (json.dumps(told), json.dumps({**a_run(), "series": {"x": told}})):
            with contextlib.suppress(ConfigurationError):
                parsed(text.encode(), kind, "any.json")  # type: ignore[arg-type] # a key of MODELS is a kind


def test_only_a_regular_file_of_a_limited_size_is_read(tmp_path: Path) -> None:
    """A pipe without a writer would never end."""
    path = tmp_path / "results.json"
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match=r"results\.json is no file"):
        read(tmp_path)
    path.unlink()
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    with pytest.raises(ConfigurationError, match="33,554,433 bytes, which is too much to read"):
        read(tmp_path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="it has no results; name a folder"):
        read(tmp_path)


def test_the_schema_has_an_identity_and_describes_its_keys() -> None:
    """Whoever reads it sees what each key means."""
    made = schema()

    assert (made["$id"], made["$defs"]["RunResults"]["properties"]["schema"]["const"]) == (ID, 1)
    assert set(made["$defs"]["RunResults"]["required"]) == {*a_run()}
    described = [
        "description" in key
        for model in ("RunResults", "Check", "BenchResults")
        for name, key in made["$defs"][model]["properties"].items()
        if name not in ("started", "bench", "rows", "ratios", "repetitions", "duration_s")
    ]
    assert all(described)
