"""`lastport plan`: what it prints, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.unit.testbed.command.conftest import Lastport

SMALL = ("--set", "subscribers=20", "--set", "duration=20.0", "--set", "warm_up=20.0")
QUICK_CALLS = ("plan", "--erlangs", "2", "--set", "ports=8")


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results, outside of the one that the command is typed in."""
    return tmp_path_factory.mktemp("kept") / "plan"


def test_plan_prints_one_object_and_keeps_it_with_a_page_and_tables(lastport: Lastport, kept: Path) -> None:
    """By the keys that its contract has."""
    finished = lastport("plan", *SMALL, "--json", "--out", str(kept))
    told = json.loads(finished.out)

    assert (finished.status, finished.err) == (0, "")
    assert told["schema"] == 1
    assert told["command"][0] == "plan"
    assert told["settings"]["ports"] == 64512
    assert told["parameters"]["subscribers"] == 20
    assert {
        "offered",
        "refused",
        "refused_share",
        "interval",
        "erlang_b",
        "classes",
        "destinations",
    } <= told.keys()
    assert json.loads((kept / "plan.json").read_text()) == told
    assert {each.name for each in kept.iterdir()} >= {"report.html", "classes.csv", "theory.csv"}


def test_plan_prints_simulation_and_formula_beside_one_another(lastport: Lastport, kept: Path) -> None:
    """And where the results are."""
    finished = lastport(*QUICK_CALLS, "--out", str(kept))

    assert "attempts are refused" in finished.out
    assert "simulation of the NAT" in finished.out
    assert "Erlang B" in finished.out
    assert str(kept) in finished.out


def test_ports_by_arithmetic_need_one_line_of_log_which_who_inverts(lastport: Lastport, kept: Path) -> None:
    """It is beside the results of the plan."""
    finished = lastport("plan", *SMALL, "--set", "block_of_each=1000", "--out", str(kept), "--json")
    assert finished.status == 0, finished.err
    found = lastport("who", "192.0.2.1", "3500", "2100-01-01T00:00:00Z", str(kept))

    assert found.out.startswith("100.64.0.2 had 192.0.2.1:3500, in its block 3024-4023, since ")


def test_an_allocator_of_one_s_own_is_planned_with(lastport: Lastport, kept: Path) -> None:
    """It is met behind walls only, and its own kind of search is said to be none of the formula's."""
    example = ROOT / "docs" / "examples" / "odd_ports_allocator.py"
    finished = lastport("plan", *SMALL, "--allocator", str(example), "--json", "--out", str(kept))

    assert finished.status == 0, finished.err
    assert any("your own" in sentence for sentence in json.loads(finished.out)["differences"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--set", "port=8"), "setting 'port' is unknown: did you mean 'ports'"),
        (("--set", "ports"), "--set 'ports' is not KEY=VALUE"),
        (("--profile", "cgm"), "profile 'cgm' is unknown"),
        (("--erlangs", "6", "--target", "0.1"), "--erlangs 6.0 and --target 0.1 are not possible together"),
        (("--erlangs", "6", "--set", "sources=5"), "parameter sources=5 is not possible with --erlangs 6"),
        (("--erlangs", "6", "--set", "block_of_each=8"), "block_of_each=8 is not possible with --erlangs"),
        (("--set", "block_of_each=800"), "these have 80 blocks; take external_addresses=13"),
        (("--trace", "none.log"), "--trace none.log: No such file or directory"),
        (("--config", "none.yaml"), "--config none.yaml: No such file or directory"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_made(
    lastport: Lastport, arguments: tuple[str, ...], reason: str
) -> None:
    """With status 2, and no folder."""
    finished = lastport("plan", *arguments)

    assert finished.status == 2
    assert reason in finished.err
    assert finished.out == ""


LOG = """\
2026-11-29T10:00:01.000Z open tcp 192.0.2.1 1030 100.64.0.1
2026-11-29T10:00:05.000Z close tcp 192.0.2.1 1030 100.64.0.1
2026-11-29T10:00:00.000Z deterministic 192.0.2.7 1024-65535 512 100.64.0.0/26
"""


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small log, outside of the folder that the command is typed in."""
    path = tmp_path_factory.mktemp("results") / "nat.log"
    path.write_text(LOG)
    return path


@pytest.mark.parametrize("where", ["file", "folder"])
def test_who_had_a_port_is_found_in_a_log_or_a_folder_with_one(lastport: Lastport, log: Path, where: str) -> None:
    """With since when, and until when."""
    place = log if where == "file" else log.parent
    finished = lastport("who", "192.0.2.1", "1030", "2026-11-29T10:00:02Z", str(place))

    assert (finished.status, finished.err) == (0, "")
    assert finished.out == (
        "100.64.0.1 had 192.0.2.1:1030 for TCP, since 2026-11-29T10:00:01.000Z until 2026-11-29T10:00:05.000Z.\n"
    )


def test_a_port_that_nobody_had_has_a_status_of_its_own(lastport: Lastport, log: Path) -> None:
    """As grep has one for nothing found."""
    finished = lastport("who", "192.0.2.1", "1030", "2026-11-29T10:00:06Z", str(log))

    assert finished.status == 1
    assert finished.out.startswith("Nobody had 192.0.2.1:1030 at 2026-11-29T10:00:06.000Z")


def test_who_prints_one_object(lastport: Lastport, log: Path) -> None:
    """Here of a deterministic assignment, by its inverse."""
    told = json.loads(lastport("who", "192.0.2.7", "2100", "2027-01-01T00:00:00Z", str(log), "--json").out)

    assert told["holders"] == [
        {
            "subscriber": "100.64.0.2",
            "protocol": "any",
            "ports": [2048, 2559],
            "since": "2026-11-29T10:00:00.000Z",
            "until": None,
        }
    ]


@pytest.mark.parametrize(
    ("place", "word", "reason"),
    [
        (1, "192.0.2", "192.0.2"),
        (3, "noon", "'noon' is no time; write one such as"),
        (4, "none.log", "none.log: No such file or directory"),
    ],
)
def test_a_question_that_is_none_is_refused(
    lastport: Lastport, log: Path, place: int, word: str, reason: str
) -> None:
    """With status 2."""
    question = ["who", "192.0.2.1", "1030", "2026-11-29T10:00:02Z", str(log)]
    question[place] = word
    finished = lastport(*question)

    assert finished.status == 2
    assert reason in finished.err


def test_a_line_that_is_none_of_a_log_is_named_by_its_number(lastport: Lastport, log: Path) -> None:
    """And the reason."""
    log.write_text(LOG + "what is this\n")
    finished = lastport("who", "192.0.2.1", "1030", "2026-11-29T10:00:02Z", str(log))

    assert finished.status == 2
    assert "nat.log: line 4: it has 3 words and not 6" in finished.err
