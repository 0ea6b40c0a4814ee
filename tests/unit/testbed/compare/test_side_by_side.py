"""A comparison on the terminal: what differs first, what was not asked last, at any width."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from testbed.compare.differences import differences
from testbed.compare.showed import showed
from testbed.compare.side_by_side import show
from tests.support.results import check, result

CANNOT = {
    **{"schema": 1, "scenario": "eviction", "gateway": "c", "verdict": "cannot"},
    "reason": "setting x=1 is not possible: it is a box; take x=2, or another --gateway",
}


def exact() -> dict[str, Any]:
    """Return a run with an exact expectation, and with a check that others lack."""
    return result(
        "a",
        check("all is well", 0, 0),
        check("the gateway agrees: only here", 1, 1),
        check("exactly 256 attempts are established", 256, 256, key="established"),
        established=256,
        timeout=64,
    )


def loose(gateway: str = "b") -> dict[str, Any]:
    """Return a run with an expectation that is a range."""
    return result(
        gateway,
        check("all is well", 0, 0),
        check("nearly 256 attempts are established", "230 to 256", 250, True, key="established"),
        established=250,
        timeout=70,
    )


def printed(*runs: dict[str, Any], width: int = 80, left_out: int = 0) -> str:
    """Return what is printed of a comparison of these runs, which are of scenarios of ours."""
    named = [{**run, "scenario": "eviction" if run["scenario"] == "s" else run["scenario"]} for run in runs]
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    told = {"runs": named, "scenarios": showed(named), "differences": differences(named)}
    show(console, told, left_out=left_out, folder="out")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def positions(text: str, *words: str) -> list[int]:
    """Return where these words stand; each must be there."""
    assert [each for each in words if each not in text] == []
    return [text.index(each) for each in words]


def test_one_check_is_one_row_with_what_each_gateway_promises() -> None:
    """Its claim has the words that both have, and the expectation a row of its own."""
    shown = printed(exact(), loose())

    rows = [line.split() for line in shown.splitlines()]
    at = rows.index(["256", "attempts", "are", "established", "256", "250"])
    assert rows[at + 1] == ["expected", "256", "230", "to", "256"]
    assert "nearly" not in shown
    assert "exactly" not in shown


def test_what_follows_every_scenario_and_holds_is_one_row() -> None:
    """One that fails anywhere is a row of its own, with each gateway's value."""
    leaks, sharing = check("no packet left", 0, 0, key="leaks"), check("no clients shared", 0, 0, key="sharing")
    red = check("no packet left", 0, 7, False, key="leaks")
    good, bad = result("a", leaks, sharing), result("b", red, sharing)

    alike, differing = printed(good, {**good, "gateway": "b"}), printed(good, bad)

    assert "no packet left" not in alike
    assert [line.split()[-4:] for line in alike.splitlines() if "hold" in line] == [["2", "hold", "2", "hold"]]
    assert [line.split()[-2:] for line in differing.splitlines() if "no packet left" in line] == [["0", "7"]]
    assert [line.split()[-4:] for line in differing.splitlines() if "hold" in line] == [["1", "hold", "1", "hold"]]


def test_what_differs_comes_first_and_what_was_not_asked_last() -> None:
    """A check that all have and that does not differ is between them."""
    shown = printed(exact(), loose(), {**CANNOT, "scenario": "s"})

    places = positions(
        shown,
        "verdict",
        "attempts: timeout",
        "256 attempts are",
        "all is well",
        "Not asked with b: only here.",
        "box",
    )
    assert places == sorted(places)
    assert "agrees: only here" not in shown, "no row of its own"
    assert "take x=2" in " ".join(shown.split()), "one scenario alone: what to do about it"


def test_a_check_that_failed_everywhere_comes_first_too() -> None:
    """It is what a reader looks for."""
    shown = printed(*(result(name, check("fine", 1, 1), check("bad", 1, 2), verdict="fail") for name in "ab"))

    assert positions(shown, "bad", "fine") == sorted(positions(shown, "bad", "fine"))
    assert "expected: 1" in shown


def test_gateways_that_do_not_differ_are_said_not_to() -> None:
    """A check that only one was asked is no difference in what they do."""
    assert "The gateways do not differ" in printed(loose("a"), loose("b"))
    assert "The gateways do not differ" not in printed(exact(), loose())


def test_each_scenario_of_several_has_a_line_for_each_gateway() -> None:
    """Gateways with the same line share one. The reasons stand at the end, without advice."""
    shown = printed(
        exact(), loose(), CANNOT, {**exact(), "scenario": "release"}, {**loose(), "scenario": "release"}
    )

    places = positions(
        shown,
        "eviction: the least recently used",
        "a: 256 established, 64 timeout",
        "b: 250 established, 70 timeout",
        "c: cannot run",
        '"256 attempts are established": 256 with a, 230 to 256 with b',
        "not asked of every gateway: 1 check",
        "release: when a connection is closed",
        "eviction on c cannot run: setting x=1 is not possible: it is a box",
    )
    assert places == sorted(places)
    assert "take x=2" not in shown
    same = printed(loose("a"), loose("b"), {**loose("a"), "scenario": "release"})
    assert "every gateway: 250 established, 70 timeout" in same


def test_what_failed_or_broke_is_what_a_scenario_showed() -> None:
    """Before what became of the attempts."""
    failed = result("a", check("bad", 1, 2), verdict="fail", established=3)
    broken = {**result("b", verdict="error"), "error": "it fell over"}

    shown = printed(failed, broken, {**failed, "scenario": "release"})

    assert "a: FAILED: bad (expected: 1, observed: 2); 3 established" in shown
    assert "b: broke: it fell over" in shown


@pytest.mark.parametrize(
    ("left_out", "words"), [(1, "1 more run was not begun."), (2, "2 more runs were not begun.")]
)
def test_runs_that_were_not_begun_are_counted(left_out: int, words: str) -> None:
    """After an interruption."""
    assert words in printed(exact(), left_out=left_out)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("several", [False, True], ids=["one scenario", "several"])
def test_it_can_be_read_at_any_width(width: int, several: bool) -> None:
    """No line is wider, no word is broken, and none is left out."""
    long = check("seconds until the pool is whole again after all have closed", "at most 26.0", 17.245, True)
    lets_in = ["the one that was asked", "another port", "another address"]
    wide = check("server endpoints that it lets in", lets_in, lets_in)
    runs = [
        {**result(name, long, wide, check("n", n, n), established=256), "duration_s": 22.9}
        for n, name in enumerate(("openflow", "ovs-ct", "netfilter"))
    ]
    if several:
        runs += [{**run, "scenario": "switch-table-full"} for run in runs]

    shown = printed(*runs, width=width)

    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    rows = "switch-table-full pass 23 s" if several else "17.245 address"
    assert {"openflow", "ovs-ct", "netfilter", *rows.split()} <= {*shown.replace(":", " ").split()}
    assert several or "server endpoints" in shown, "the words of a claim have room beside its values"


@pytest.mark.parametrize("width", [40, 59, 60])
def test_no_word_is_cut_off(width: int) -> None:
    """A word that is longer than its column goes on in the next line."""
    unbroken = "+".join(f"{number}" for number in range(40))
    runs = [result(name, check(f"claim {unbroken}", 0, unbroken, True), established=9) for name in ("a", "b")]

    several = printed(*runs, *({**run, "scenario": "release"} for run in runs), width=width)
    shown = printed(*runs, width=width)

    assert "…" not in shown + several
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    if width < 60:
        together = "".join(shown.split())
        assert together.count(unbroken) == 3, "the claim, and the value that each gateway has"
        assert "attempts: established\n" in shown
