"""Several runs at once: each is carried out by a child of this process, and so is a process of its own.

A child inherits what was decided, and dies with this process, as its sandbox does with the child. A signal that
asks this process to end breaks off the runs that are under way. They end with what they know so far, and no other
is begun.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TypeVar

from testbed.run.interruptions import Interrupted, heeding
from testbed.sandbox.linux import die_with_parent

Answer = TypeVar("Answer")
Work = Callable[[], Answer]
LABS_PER_PROCESSOR = 2
"""A lab of a few hosts waits for most of its time."""
MOST_LABS = 16
"""Each has a switch and controllers of its own, for more of which the memory may not be enough."""


def at_once() -> int:
    """Return the number of small labs that this machine carries out at once."""
    return min(MOST_LABS, LABS_PER_PROCESSOR * len(os.sched_getaffinity(0)))


def answers(works: Sequence[Work[Answer]], most: int) -> Iterator[tuple[int, Answer | None]]:
    """Do all works, `most` of them at once; yield the place of each that has ended, and what it has returned.

    That is None where its process has died. After an interruption, only works that were begun are there.
    """
    waiting = deque(enumerate(works))
    begun: dict[Connection, tuple[int, ForkProcess]] = {}
    try:
        while waiting or begun:
            while waiting and len(begun) < most:
                place, work = waiting.popleft()
                begun |= _begun(place, work)
            with heeding():
                ready = wait([*begun])
            for ended in ready:
                assert isinstance(ended, Connection)
                yield _answer(ended, *begun.pop(ended))
    except Interrupted:
        for _, process in begun.values():
            process.terminate()
        for ended, (place, process) in begun.items():
            yield _answer(ended, place, process)


def _begun(place: int, work: Work[Answer]) -> dict[Connection, tuple[int, ForkProcess]]:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_do, args=(work, theirs))
    process.start()
    theirs.close()
    return {ours: (place, process)}


def _do(work: Work[Answer], told: Connection) -> None:
    """Do a work in a process of its own."""
    die_with_parent()
    told.send(work())


def _answer(connection: Connection, place: int, process: ForkProcess) -> tuple[int, Answer | None]:
    answer = None
    with connection, suppress(EOFError):
        answer = connection.recv()
    process.join()
    return place, answer
