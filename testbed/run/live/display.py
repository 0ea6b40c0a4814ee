"""Who writes to standard error while something goes on: a thread, which a slow terminal may hold as it likes.

What goes on is a `View`. It is changed by `change`, which never waits for a terminal. `Picture` redraws its frame
on a terminal, at most five times a second. `Lines` prints its news where there is no terminal. A display never
fails what it shows: if it cannot write any more, or cannot draw, it goes silent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum, auto
from types import FrameType
from typing import Protocol, Self

from rich.console import Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from testbed.run.console import new_console
from testbed.run.live.screen import Size

LOOK_EVERY_S = 0.2
"""Seconds between two looks for something new, and so between two pictures at least."""
DRAWN_EVERY_S = 1.0
"""Seconds after which a picture is redrawn though nothing is new: it has a clock."""
LEAVES_WITHIN_S = 1.0
"""Seconds that Ctrl-Z waits for a picture that is being drawn: a terminal may take nothing."""


class Manner(Enum):
    """How to show what goes on."""

    PICTURE = auto()
    LINES = auto()
    NOTHING = auto()


class View(Protocol):
    """What goes on, as lines for a picture, and as news. `now` is in seconds."""

    def frame(self, size: Size, now: float) -> list[Text]:
        """Return the picture while it goes on."""

    def last_frame(self, size: Size, now: float) -> list[Text]:
        """Return the picture that stays when it is over."""

    def news(self, now: float) -> Iterable[str]:
        """Return the lines about what is new since the last call."""


def manner(*, live: bool | None, as_json: bool) -> Manner:
    """Return how to show what goes on: as a picture on a terminal, and else in lines, but not beside `--json`.

    `live` is what the user chose, if anything.
    """
    if live is not False and sys.stderr.isatty() and not new_console(stderr=True).is_dumb_terminal:
        return Manner.PICTURE
    return Manner.NOTHING if as_json and not live else Manner.LINES


def shown(view: View, manner: Manner) -> Display:
    """Return the display of a view; it is a context manager, and is over at the end of the block."""
    return {Manner.PICTURE: Picture, Manner.LINES: Lines, Manner.NOTHING: Display}[manner](view)


class Display:
    """Shows nothing, and is the base of those that show something."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def be_silent(self, silent: bool) -> None:
        """Leave the terminal to a prompt, or come back to it."""

    def change(self, do: Callable[[float], None]) -> None:
        """Change the view, by a call with the time. What cannot be shown is not: a stranger may have sent it."""
        with self._lock, contextlib.suppress(Exception):
            do(time.monotonic())


class Threaded(Display, ABC):
    """A display with a thread in which it writes."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._is_over = threading.Event()
        self._is_silent = self._is_left = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._write(self._end)

    @abstractmethod
    def _look(self) -> None:
        """Write what is new."""

    @abstractmethod
    def _end(self) -> None:
        """Write what stays."""

    def _run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            if not self._is_left:
                self._write(self._look)

    def be_silent(self, silent: bool) -> None:
        """Leave the terminal to a prompt, or come back to it."""
        self._is_left = silent

    def _write(self, write: Callable[[], None]) -> None:
        """Write, unless that has failed before: the terminal may be gone."""
        if not self._is_silent:
            try:
                write()
            except Exception:
                self._is_silent = True


class Lines(Threaded):
    """Prints news, and no control character."""

    def _look(self) -> None:
        with self._lock:
            lines = list(self.view.news(time.monotonic()))
        if lines:
            print(*lines, sep="\n", file=sys.stderr, flush=True)

    def _end(self) -> None:
        self._look()


class Picture(Threaded):
    """Redraws a frame at one place of a terminal. Ctrl-Z leaves the terminal as it was, and so does every end."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._console = new_console(stderr=True)
        self._drawing = threading.RLock()
        self._live: Live | None = None
        self._drawn: list[int] = []
        self._drawn_for = Size(0, 0)
        self._drawn_at = 0.0
        self._is_new = True
        self._before: Callable[[int, FrameType | None], object] | int | None = None

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGTSTP)
        if self._before is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        if self._before is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    def change(self, do: Callable[[float], None]) -> None:
        """Change the view, and have it drawn soon."""
        super().change(do)
        self._is_new = True

    def be_silent(self, silent: bool) -> None:
        """Leave the picture above a prompt, or draw it anew below what was printed there."""
        with self._drawing:
            super().be_silent(silent)
            if silent:
                self._write(self._leave)
            self._is_new = True

    def _look(self) -> None:
        now, size = time.monotonic(), self._size()
        if not self._is_new and size == self._drawn_for and now - self._drawn_at < DRAWN_EVERY_S:
            return
        self._is_new = False
        lines = self._lines(self.view.frame, size, now)
        with self._drawing:
            if self._is_in_front() and not self._is_over.is_set() and not self._is_left:
                self._draw(lines, size, now)
            else:
                self._is_new = True

    def _end(self) -> None:
        now, size = time.monotonic(), self._size()
        lines = self._lines(self.view.last_frame, size, now)
        with self._drawing:
            self._draw(lines, size, now)
            self._leave()

    def _lines(self, frame: Callable[[Size, float], list[Text]], size: Size, now: float) -> list[Text]:
        """Return a frame. Ctrl-Z may come while the view is changed, and wants `_drawing`: wait without it."""
        with self._lock:
            return frame(size, now)

    def _draw(self, lines: list[Text], size: Size, now: float) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
        elif size.width < self._drawn_for.width:
            self._console.control(_up_over_wrapped(self._drawn, size.width))
        self._live.update(Group(*lines), refresh=True)
        self._drawn, self._drawn_for, self._drawn_at = [line.cell_len for line in lines], size, now

    def _leave(self) -> None:
        """Leave the picture as it is, the cursor below it, and visible."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _stop(self, _number: int, _frame: object) -> None:
        """Stop as Ctrl-Z asks. With `fg`, draw anew below what the shell has printed.

        A picture that the terminal does not take stays as far as it is drawn.
        """
        is_whole = self._drawing.acquire(timeout=LEAVES_WITHIN_S)
        try:
            if is_whole:
                self._write(self._leave)
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._stop)
            self._is_new = True
        finally:
            if is_whole:
                self._drawing.release()

    def _is_in_front(self) -> bool:
        """Return whether this process has the terminal, and is not in the background of its shell."""
        try:
            return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
        except OSError:
            return True  # it is no controlling terminal, so nobody else has it

    def _size(self) -> Size:
        width, height = self._console.size
        return Size(width, height, self._console.options.ascii_only)


def _up_over_wrapped(widths: Iterable[int], columns: int) -> Control:
    """Return what erases the lines that lines of these widths have become more on a terminal that got narrower."""
    more = sum(max(0, (width - 1) // columns) for width in widths)
    up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * more
    return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)
