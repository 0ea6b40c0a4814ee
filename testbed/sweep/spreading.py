"""The seam over which much work is spread: an executor of `concurrent.futures`, on one machine or on many.

Work is handed out as it gets done, so what comes next may depend on what came before. A process that is lost, by
`kill -9` or for lack of memory, costs the work that was under way, which is done again. Work that has lost
`MOST_LOSSES` processes is to blame itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from testbed.run.at_once import at_once
from testbed.run.interruptions import Interrupted, heeding
from testbed.sandbox.linux import die_with_parent

Given = TypeVar("Given")
Answer = TypeVar("Answer")
MOST_LOSSES = 3


def _as_it_is(do: Callable[..., Any]) -> Callable[..., Any]:
    return do


@dataclass(slots=True)
class Spread:
    """Where work is done: how an executor is made, how much it has at once, and what is put around a work."""

    make: Callable[[], Executor]
    at_once: int
    around: Callable[[Callable[..., Any]], Callable[..., Any]] = _as_it_is
    _executor: Executor | None = field(default=None, init=False)

    def done(
        self, do: Callable[[Given], Answer], works: Iterable[Given]
    ) -> Iterator[tuple[Given, Answer | Exception]]:
        """Do each work, and yield it with its answer, or the exception that it has raised, as they get done.

        Raises Interrupted if a signal asks this process to end. What is under way is lost then.
        """
        waiting, losses = iter(works), dict[int, int]()
        begun: dict[Future[Answer], tuple[int, Given]] = {}
        number, is_over = 0, False
        try:
            while True:
                while not is_over and len(begun) < self.at_once:
                    try:
                        work = next(waiting)
                    except StopIteration:
                        is_over = True
                    else:
                        begun[self._submit(do, work)] = number, work
                        number += 1
                if not begun:
                    return
                with heeding():
                    ready, _ = wait(begun, return_when=FIRST_COMPLETED)
                lost: list[tuple[int, Given]] = []
                for future in ready:
                    place, work = begun.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenExecutor):
                        losses[place] = losses.get(place, 0) + 1
                        if losses[place] < MOST_LOSSES:
                            lost.append((place, work))
                            continue
                    if error is not None and not isinstance(error, Exception):
                        raise error
                    yield work, future.result() if error is None else error
                if lost:
                    self._executor = None
                begun |= {self._submit(do, work): (place, work) for place, work in lost}
        finally:
            self._end(begun)

    def _submit(self, do: Callable[[Given], Answer], work: Given) -> Future[Answer]:
        for _ in range(MOST_LOSSES):
            if self._executor is None:
                self._executor = self.make()
            try:
                return self._executor.submit(self.around(do), work)
            except BrokenExecutor:
                self._executor = None
        raise BrokenExecutor("no process lives for long enough to begin with the work")

    def _end(self, begun: Collection[Future[Answer]]) -> None:
        """End the executor. Work that is under way is not waited for."""
        executor, self._executor = self._executor, None
        for future in begun:
            future.cancel()
        if begun:
            for process in multiprocessing.active_children():
                process.kill()
        if executor is not None:
            executor.shutdown(wait=not begun)


def processes(count: int) -> Spread:
    """Return this machine's processes, for so many works at once."""
    context = multiprocessing.get_context("fork")
    return Spread(partial(ProcessPoolExecutor, count, mp_context=context, initializer=_begin), count)


def labs() -> Spread:
    """Return this machine's processes for as many labs as it carries at once."""
    return processes(at_once())


def simulations() -> Spread:
    """Return this machine's processes for simulations, each of which uses a processor up."""
    return processes(len(os.sched_getaffinity(0)))


def _begin() -> None:
    """Begin a process of this machine. It ends with its parent; Ctrl-C is for the parent alone."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


__all__ = ["Interrupted", "Spread", "labs", "processes", "simulations"]
