"""What counts as a difference between runs, and the sentence for each."""

from __future__ import annotations

from typing import Any

from testbed.compare.differences import claims, differences
from tests.support.results import check, result


def sentences(*runs: dict[str, Any]) -> list[str]:
    """What is said of the runs' differences."""
    return [found["sentence"] for found in differences(runs)]


def test_measured_times_that_hold_are_no_difference() -> None:
    """Times differ from run to run; equal counts are no difference."""
    a = result("a", check("time", "at most 3", 1.5, True), check("n", 3, 3), established=3)
    b = result("b", check("time", "at most 3", 1.7, True), check("n", 3, 3), established=3)

    assert sentences(a, b) == []


def test_each_difference_has_its_sentence_and_its_values() -> None:
    """Verdicts, outcomes and checks may differ, and a claim may stand in some runs only."""
    a = result("a", check("n", 3, 3), check("only a", 1, 1), check("kind", "x", "x"), established=3, timeout=1)
    b = result("b", check("n", 3, 2), check("kind", "y", "y"), verdict="fail", established=2, timeout=2)
    c = result("c", check("n", 3, 3), check("only a", 1, 1), check("kind", "x", "x"), established=3, timeout=1)

    assert sentences(a, b, c) == [
        "The verdict is pass with a and c, fail with b.",
        "Of the attempts, 3 ended as established with a and c, 2 with b.",
        "Of the attempts, 1 ended as timeout with a and c, 2 with b.",
        '"n": 3 with a and c, 2 (expected: 3) with b.',
        '"only a": 1 with a and c, not asked with b.',
        '"kind": x with a and c, y with b.',
    ]
    assert differences([a, b])[4]["values"] == {"a": 1}


def test_a_run_that_broke_is_not_compared() -> None:
    """Only its verdict is."""
    broken = {**result("b", verdict="error", established=1), "error": "it fell over"}

    assert sentences(result("a", established=3), broken) == ["The verdict is pass with a, error with b."]


def test_a_check_of_one_key_is_one_row_however_its_claim_is_worded() -> None:
    """A gateway that declares something else has other words for it; what they share is shown."""
    exact = result("a", check("exactly 256 are established", 256, 256, key="established"))
    loose = result("b", check("nearly 256 are established", "230 to 256", 250, ok=True, key="established"))

    assert claims([exact, loose]) == {"established": "established"}
    assert claims([exact, exact]) == {"established": "exactly 256 are established"}
    (difference,) = differences([exact, loose])
    assert difference["what"] == "established"
    assert difference["values"] == {"a": 256, "b": 250}
