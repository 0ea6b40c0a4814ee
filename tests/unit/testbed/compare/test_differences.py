"""What counts as a difference between runs, and the sentence for each."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.compare.differences import claims, differences, not_asked, words
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
        '"kind": x with a and c, y with b.',
        '"only a": 1 with a and c, not asked with b.',
    ]
    assert differences([a, b])[-1]["values"] == {"a": 1}
    kinds = [found["kind"] for found in differences([a, b, c])]
    assert kinds == ["verdict", "outcome", "outcome", "check", "check", "not asked"]


def test_a_run_that_broke_is_not_compared() -> None:
    """Only its verdict is."""
    broken = {**result("b", verdict="error", established=1), "error": "it fell over"}

    assert sentences(result("a", established=3), broken) == ["The verdict is pass with a, error with b."]


def test_a_check_of_one_key_is_one_row_however_its_claim_is_worded() -> None:
    """A gateway that declares something else has other words for it; what they share is shown."""
    exact = result("a", check("exactly 256 are established", 256, 256, key="established"))
    loose = result("b", check("nearly 256 are established", "230 to 256", 250, ok=True, key="established"))

    assert claims([exact, loose]) == {"established": "256 are established"}
    assert claims([exact, exact]) == {"established": "exactly 256 are established"}
    (difference,) = differences([exact, loose])
    assert difference["what"] == "256 are established"
    assert difference["values"] == {"a": 256, "b": 250}


@pytest.mark.parametrize(
    ("worded", "common"),
    [
        (["the peers reach each other", "the peers do not reach each other"], "the peers ... reach each other"),
        (
            ["ICMP: all 40 are established: no ports", "ICMP: exactly 32 are established"],
            "ICMP: ... are established",
        ),
        (["numbers of TCP, UDP, ICMP in use", "numbers of TCP, UDP in use"], "numbers of TCP, UDP, ... in use"),
        (["a b c d e", "a x c y e", "a x z y e"], "a ... e"),
        (["nothing", "in common"], "the key"),
    ],
)
def test_the_claim_has_the_words_that_all_have(worded: list[str], common: str) -> None:
    """Where they have none, the words of the key."""
    runs = [result(str(place), check(claim, 1, 1, key="the-key")) for place, claim in enumerate(worded)]

    assert claims(runs) == {"the-key": common}


def test_what_was_not_asked_is_one_sentence_for_each_set_of_gateways() -> None:
    """A check of a counter that a gateway does not have is named in few words."""
    a = result("a", check("x", 1, 1), check("the gateway agrees: y", 1, 1), check("z", 1, 1))
    b = result("b", check("z", 1, 1))
    c = result("c")

    assert not_asked([a, b, c]) == ["Not asked with b and c: x; y.", "Not asked with c: z."]
    assert not_asked([a, a]) == []


def test_a_value_that_is_a_list_is_shown_without_the_marks_of_one() -> None:
    """As a person writes it."""
    assert [words(each) for each in (["a", "b"], [1, [2, 3]], None, True)] == ["a, b", "1, 2, 3", "None", "True"]
