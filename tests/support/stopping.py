"""Stop a program that shows a picture at its two worst instants, and go on.

    python -m tests.support.stopping changing | drawing

`changing`: it changes what is shown, and the picture waits for that. `drawing`: the terminal does not take the
picture. In a session of its own, a program that stops as Ctrl-Z asks goes on at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

from testbed.run.live.display import Picture
from testbed.run.live.view import RunView


class Wanted:
    """A lock that tells when another thread waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_wanted = threading.Event()

    def __enter__(self) -> None:
        if self._lock.locked():
            self.is_wanted.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Full(io.StringIO):
    """A terminal that takes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.may = threading.Event()

    def isatty(self) -> bool:
        """A picture is for a terminal only."""
        return True

    def write(self, text: str) -> int:
        """Take the text when it may."""
        self.is_asked.set()
        self.may.wait()
        return super().write(text)


def changing() -> None:
    """Stop while the view is changed, and the thread that draws waits for the end of that."""
    sys.stderr = io.StringIO()
    picture = Picture(RunView("a run"))
    picture._lock = lock = Wanted()  # type: ignore[assignment]  # all that is asked of it is that of a lock

    def stop(_now: float) -> None:
        lock.is_wanted.wait()
        os.kill(os.getpid(), signal.SIGTSTP)

    with picture:
        picture.change(stop)


def drawing() -> None:
    """Stop while the terminal does not take the picture."""
    sys.stderr = terminal = Full()
    with Picture(RunView("a run")) as picture:
        picture.change(lambda now: None)
        terminal.is_asked.wait()
        os.kill(os.getpid(), signal.SIGTSTP)
        terminal.may.set()


if __name__ == "__main__":
    {"changing": changing, "drawing": drawing}[sys.argv[1]]()
    print("went on")
