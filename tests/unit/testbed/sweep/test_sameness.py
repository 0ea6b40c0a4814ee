"""What has to be the same on every machine."""

from __future__ import annotations

from pathlib import Path

from testbed.sweep.sameness import differences, facts


def test_a_process_is_as_itself() -> None:
    """Nothing differs."""
    assert list(differences(facts(), facts())) == []
    assert {"lastport", "commit", "code", "Python", "package pydantic"} <= facts().keys()


def test_what_differs_is_named_with_both_values() -> None:
    """Also what only one of them has."""
    here = {"Python": "3.11.2", "package x": "1", "package y": "1"}
    there = {"Python": "3.13.5", "package y": "1", "package z": "2"}

    assert list(differences(here, there)) == [
        "Python is 3.13.5 there, and 3.11.2 here",
        "package x is missing there, and 1 here",
        "package z is 2 there, and missing here",
    ]


def test_a_file_of_one_s_own_counts_by_what_it_holds(tmp_path: Path) -> None:
    """And by whether it is there at all."""
    file = tmp_path / "own.py"
    missing = facts([str(file)])
    file.write_text("A = 1\n")
    first = facts([str(file)])
    file.write_text("A = 2\n")

    assert len({each[f"file {file}"] for each in (missing, first, facts([str(file)]))}) == 3
