"""A prompt in a lab, from its opening to its end: the terminal, the words, and what was changed by hand.

The launcher has one end of the terminal, or hands in files. The runner takes the other end, as the leader of a
session of its own, so that Ctrl-C reaches the prompt and nothing that the lab lives by.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from testbed.experiment.experiment import Experiment
from testbed.experiment.plan import Run
from testbed.run.conversation import ERRORS, IN, OUT
from testbed.sandbox.records import Channel
from testbed.shell.events import Events
from testbed.shell.prompt import Prompt
from testbed.shell.standing import Standing

MOST_NAMED = 3
"""The most words that are repeated in the sentence about them."""


class ChangedByHandError(Exception):
    """Somebody changed the lab in the middle of a run, so that it shows nothing of the question any more."""


class Session:
    """The prompt of one run. It is open once, at most."""

    def __init__(self, files: Mapping[str, int], plan: Run, channel: Channel) -> None:
        self._files, self._channel = files, channel
        self.events = Events(channel)
        self._standing = Standing(plan, self.events)
        self.is_over = False

    def open(self, x: Experiment[Any]) -> None:
        """Let the person act. Without a terminal, report how many of the words in the script failed."""
        self._standing.count(x.lab.gateways)
        self._channel.send("prompt")
        with self._at_hand() as is_terminal:
            prompt = Prompt(self._standing, x, script=None if is_terminal else os.dup(self._files[IN]))
        self.is_over = True
        self._channel.send("prompt_ended")
        if not is_terminal:
            x.check(
                "lines of the script that failed",
                expected=0,
                observed=len(prompt.failed),
                source="the words at the prompt, and the exit statuses of commands on hosts",
                key="script",
                bears=None,
            )

    def require_untouched(self) -> None:
        """Raise ChangedByHandError if somebody has done more at the prompt than look."""
        if changes := self._standing.changes:
            named = "; ".join(changes[:MOST_NAMED]) + "; ..." * (len(changes) > MOST_NAMED)
            raise ChangedByHandError(
                f"the run went on after it was changed at the prompt ({named}), so it has no verdict; leave it as "
                "it is there (nat status, nat mappings, why, ...), or run it without --pause"
            )

    @contextmanager
    def _at_hand(self) -> Iterator[bool]:
        """Have standard input, output and error at the prompt, and give whether that is a terminal."""
        files = [self._files[name] for name in (IN, OUT, ERRORS)]
        is_terminal = all(map(os.isatty, files))
        if is_terminal:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the launcher's end tells PID 1, and not this process
            os.setsid()
            fcntl.ioctl(files[0], termios.TIOCSCTTY, 0)
        _flush()
        before = [os.dup(number) for number in range(3)]
        for number, file in enumerate(files):
            os.dup2(file, number)
        try:
            yield is_terminal
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _flush()
            for number, file in enumerate(before):
                os.dup2(file, number)
                os.close(file)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
