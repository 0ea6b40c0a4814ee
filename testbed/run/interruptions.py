"""Signals that ask this process to end. They break off a run, and never the writing of its results."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to end. It is no Exception, since nothing on the way may catch it."""


class Interruptions:
    """The handler of signals: it breaks a run off while that is possible, and else remembers the first signal."""

    def __init__(self) -> None:
        self._may_break_off = False
        self._first: signal.Signals | None = None

    def install(self) -> None:
        """Handle the signals from now on, but for those that this process was started to ignore, as by nohup."""
        for number in INTERRUPTIONS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def heed(self) -> None:
        """Let a signal raise Interrupted from now on, once. If one came before, raise it here."""
        self._may_break_off = True
        if self._first is not None:
            self._break_off()

    def defer(self) -> None:
        """Only remember a signal from now on."""
        self._may_break_off = False

    def __call__(self, number: int, _frame: object) -> None:
        """Handle a signal: break the run off, or remember the signal for later."""
        if self._first is None:
            self._first = signal.Signals(number)
            if self._may_break_off:
                self._break_off()

    def _break_off(self) -> NoReturn:
        self._may_break_off = False
        assert self._first is not None
        raise Interrupted(self._first.name)


USUAL = Interruptions()
"""The handler of a run whose guest has none of its own."""


@contextmanager
def heeding() -> Iterator[None]:
    """Have a signal that asks this process to end raise Interrupted within the block."""
    USUAL.install()
    try:
        USUAL.heed()
        yield
    finally:
        USUAL.defer()
