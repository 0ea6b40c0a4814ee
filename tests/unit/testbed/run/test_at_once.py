"""Several runs at once, each in a process of its own."""

from __future__ import annotations

import os
import signal
from functools import partial
from multiprocessing import Barrier

from testbed.run.at_once import answers
from tests.support.processes import DEADLINE_S


def test_every_work_is_done_in_a_process_of_its_own() -> None:
    """Not more than the given number at once, and each answer with its work's place."""
    found = dict(answers([os.getpid] * 5, 2))

    assert sorted(found) == [0, 1, 2, 3, 4]
    assert len({os.getpid(), *found.values()}) == 6


def test_works_go_on_side_by_side() -> None:
    """Three that wait for each other come to an end."""
    together = Barrier(3)

    assert dict(answers([lambda: together.wait(DEADLINE_S) >= 0] * 3, 3)) == dict.fromkeys(range(3), True)


def test_a_process_that_dies_has_no_answer() -> None:
    """The others go on."""

    def work(place: int) -> int:
        if place == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return place * 10

    assert dict(answers([partial(work, place) for place in range(3)], 1)) == {0: 0, 1: None, 2: 20}
