"""The points that are done, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.sweep.estimates import USUAL
from testbed.sweep.log import POINTS, Log
from testbed.sweep.point import Point

FIRST, SECOND = Point({"ports": 8}, 1), Point({"ports": 8}, 2)


def told(share: float = 0.5, **others: object) -> dict[str, object]:
    """Return the results of a point."""
    return {"refused_share": share, "duration_s": 1.0, **others}


def test_a_point_is_there_for_the_next_command(tmp_path: Path) -> None:
    """By its combination and its seed."""
    Log(tmp_path, [USUAL]).add(FIRST, told(0.25))
    again = Log(tmp_path, [USUAL])

    assert again.has(FIRST)
    assert not again.has(SECOND)
    assert [each.measured[USUAL] for each in again.of({"ports": 8})] == [(0.25, None)]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_what_is_half_written_is_cut_off(tmp_path: Path, cut: int) -> None:
    """After a kill in the middle of a line; the point is done again, and its line is whole."""
    log = Log(tmp_path, [USUAL])
    log.add(FIRST, told())
    log.add(SECOND, told())
    file = tmp_path / POINTS
    file.write_bytes(file.read_bytes()[:-cut])
    again = Log(tmp_path, [USUAL])

    assert again.has(FIRST)
    assert not again.has(SECOND)
    again.add(SECOND, told())
    assert file.read_text().count("\n") == 2
    assert Log(tmp_path, [USUAL]).has(SECOND)


def test_a_point_that_broke_is_to_be_done_again(tmp_path: Path) -> None:
    """Its later line counts."""
    log = Log(tmp_path, [USUAL])
    log.add(FIRST, {"verdict": "error"})
    assert not log.has(FIRST)
    assert log.of({"ports": 8}) == []

    log.add(FIRST, told(verdict="pass"))
    assert Log(tmp_path, [USUAL]).has(FIRST)
    assert [each.verdict for each in Log(tmp_path, [USUAL])] == ["pass"]


@pytest.mark.parametrize(
    "line", ["what is this", '{"seed": 1}', "[1]", '{"point": {}, "seed": 1, "offered": "x"}']
)
def test_a_line_that_is_no_point_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    """It is none of ours, and nothing of it is guessed."""
    log = Log(tmp_path, [USUAL])
    log.add(FIRST, told())
    with (tmp_path / POINTS).open("a") as file:
        file.write(line + "\n")

    with pytest.raises(ConfigurationError, match="line 2 is no point of a sweep"):
        Log(tmp_path, [USUAL])
