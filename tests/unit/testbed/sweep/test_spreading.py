"""Work over processes, some of which are lost."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path

from testbed.sweep.spreading import processes


def square(number: int) -> int:
    """Return the square of a number, or refuse 13."""
    if number == 13:
        raise ValueError("13 is refused")
    return number * number


def killed_once(folder: Path, number: int) -> int:
    """Kill this process the first time that 3 comes."""
    mark = folder / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed(number: int) -> int:
    """Kill this process whenever 3 comes."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_each_work_has_its_answer_or_what_it_raised() -> None:
    """And the others are not concerned."""
    answers = dict(processes(2).done(square, [1, 13, 2]))

    assert (answers[1], answers[2]) == (1, 4)
    assert str(answers[13]) == "13 is refused"


def test_the_work_of_a_process_that_is_lost_is_done_again(tmp_path: Path) -> None:
    """`kill -9` costs nothing but time, and every work has one answer."""
    answers = list(processes(2).done(partial(killed_once, tmp_path), range(6)))

    assert sorted(answers) == [(number, number) for number in range(6)]
    assert (tmp_path / "killed").exists()


def test_work_that_ends_every_process_is_to_blame() -> None:
    """It is given up, and the others are done."""
    answers = dict(processes(1).done(killed, range(5)))

    assert isinstance(answers.pop(3), BrokenExecutor)
    assert answers == {number: number for number in (0, 1, 2, 4)}


def test_what_comes_next_may_depend_on_what_was_done() -> None:
    """Works are asked for one by one, as processes get free."""
    done: list[int] = []

    def works() -> object:
        for number in range(5):
            if len(done) < 2:
                yield number

    for _, answer in processes(1).done(square, works()):  # type: ignore[arg-type,var-annotated] # a generator
        done.append(answer)

    assert done == [0, 1]
