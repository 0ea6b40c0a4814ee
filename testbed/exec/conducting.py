"""Programs in a run, from outside of its sandbox: ordered when the network is there, and ended with it.

The main thread takes the run's records, and gets all signals. Everything else is in a thread: it orders the
programs, waits for them, and then lets the run come to its end.

One program has this process's own standard files: a terminal of its own where ours is one, else the files
themselves. So every byte is the program's. Several have pipes, and each line gets the name of its host. The last
one has our standard input.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.exec.account import Account, accounts, sentences
from testbed.exec.lines import Lines
from testbed.exec.orders import Orders
from testbed.exec.terminal import Terminal, at_terminal, is_in_background
from testbed.exec.wanted import Wanted
from testbed.run.guest import Guest, Open
from testbed.run.inside import ORDERS
from testbed.run.interruptions import INTERRUPTIONS, Interruptions
from testbed.run.results import Result
from testbed.sandbox.guarded import Guarded
from testbed.sandbox.program import FAILED, Order, User

TIMED_OUT = 124
LOOK_EVERY_S = 0.02
KILL_AFTER_S = 2.0
"""Seconds from the signal that asks a program to end to the one that ends it."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all programs have: their user, environment and folder, and what they may write."""

    environment: dict[str, str]
    folder: str
    user: User | None = None
    read_only: bool = False

    def order(
        self, command: Sequence[str], *, at: tuple[int, ...] = (), size: tuple[int, int] = (24, 80)
    ) -> Order:
        """Return the order for a command, which has these of its standard files at a terminal of this size."""
        return Order(tuple(command), self.folder, self.environment, self.user, at, size, self.read_only)


class _PassedOn(Interruptions):
    """Signals go to the programs while there are any, and otherwise break the run off."""

    def __init__(self, conductor: Conductor, terminal: Terminal | None) -> None:
        super().__init__()
        self._conductor, self._terminal = conductor, terminal

    def install(self) -> None:
        """Handle the signals from now on, but for those that this process was started to ignore."""
        super().install()
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)
        if self._terminal:
            signal.signal(signal.SIGWINCH, self._terminal.resized)
            signal.signal(signal.SIGCONT, self._terminal.continued)
        elif signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)

    def __call__(self, number: int, frame: object) -> None:
        """Pass a signal on. Without programs, it breaks the run off if it asks for an end."""
        if not self._conductor.signal(number) and (number in INTERRUPTIONS or not self._conductor.is_over):
            super().__call__(number, frame)

    def _stop(self, number: int, _frame: object) -> None:
        """Stop the programs, and this process. They go on when it does."""
        self._conductor.signal(number)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop)
        self._conductor.signal(signal.SIGCONT)


class Conductor(Guest):
    """Runs programs in a run, and knows the exit `status` of the whole: a shell's."""

    def __init__(
        self, wanted: Sequence[Wanted], surroundings: Surroundings, folder: Path, *, timeout: float | None
    ) -> None:
        """End all programs when the last one does, if it is on no named host. Otherwise wait for all of them.

        The results of the run are in `folder`.
        """
        self.accounts: dict[str, Account] = {}
        """What the programs have cost each NAT, when the run is over."""
        self._folder = folder
        self.status: int = FAILED
        self.is_timed_out = False
        self.terminal = Terminal() if len(wanted) == 1 and at_terminal() else None
        self.interruptions = _PassedOn(self, self.terminal)
        self.shown = [Path(surroundings.folder)]
        self._orders = Orders()
        self.files: Mapping[str, Open] = {ORDERS: self._orders.theirs}
        self._wanted, self._surroundings, self._timeout = wanted, surroundings, timeout
        self._running: list[Guarded] = []
        self._thread = threading.Thread(target=self._conduct, daemon=True)
        self._usual = self._unwritable = ""

    @property
    def complaints(self) -> list[str]:
        """Why programs could not be run, each with its host's name, and why they were ended."""
        ran = zip(self._wanted, self._running, strict=False)
        told = [f"{wanted.host or self._usual}: {each.complaint}" for wanted, each in ran if each.complaint]
        return told + [f"all were ended: {self._unwritable}"] * bool(self._unwritable)

    def see(self, record: dict[str, Any]) -> None:
        """Begin when the network is there."""
        match record:
            case {"kind": "series", "series": {"hosts": [str(first), *_]}}:
                self._usual = first
            case {"kind": "ready"}:
                self._thread.start()

    def complete(self, result: Result) -> None:
        """Add the account of each NAT, and the exit status."""
        self.accounts = accounts(self._folder)
        told = {name: each.as_json() for name, each in self.accounts.items()}
        result.series |= {"account": told, "exit_status": self.status}
        ended = f"Programs of the user's own ended with status {self.status}."
        result.story = "\n".join([ended, *(f"{each}." for each in sentences(self.accounts))])

    def signal(self, number: int) -> bool:
        """Send all programs a signal; return whether there is one that runs."""
        there = [each for each in self._running if each.status is None]
        for each in there:
            each.signal(number)
        return bool(there)

    @property
    def is_over(self) -> bool:
        """Whether programs were run, and have all ended."""
        return bool(self._running) and all(each.status is not None for each in self._running)

    def wait(self) -> None:
        """Wait until everything that the programs wrote has come. The sandbox is gone by now."""
        self._orders.theirs.close()
        if self._thread.ident is not None:
            self._thread.join()

    def _conduct(self) -> None:
        timer = threading.Timer(self._timeout or 0, self._end_in_time)
        try:
            if self._timeout:
                timer.start()
            status = self._run()
            is_refused = any(each.is_refused for each in self._running)
            self.status = TIMED_OUT if self.is_timed_out else FAILED if is_refused else status
        finally:
            timer.cancel()
            for each in self._running:
                each.close()
            self._orders.end()

    def _run(self) -> int:
        """Run all that is wanted, and return the status of the whole."""
        return self._one() if len(self._wanted) == 1 else self._several()

    def _one(self) -> int:
        """Run one program, with our own standard files."""
        (wanted,), terminal = self._wanted, self.terminal
        if terminal is None:
            order = self._surroundings.order(wanted.command)
            return self._begun(wanted, order, (self._input(), 1, 2)).follow()
        order = self._surroundings.order(wanted.command, at=at_terminal(), size=terminal.size)
        program = self._begun(wanted, order, (0, 1, 2), on_terminal=terminal.take, on_stop=terminal.stop)
        try:
            return program.follow(lambda: terminal.relay(program))
        finally:
            terminal.close()

    def _several(self) -> int:
        """Run programs at once, with pipes for what they write."""
        output, errors = Lines(1, self._lost), Lines(2, self._lost)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for place, wanted in enumerate(self._wanted):
            name, is_last = wanted.host or self._usual, place == len(self._wanted) - 1
            files = (self._input() if is_last else nothing, output.pipe(name), errors.pipe(name))
            self._begun(wanted, self._surroundings.order(wanted.command), files)
            for descriptor in files[1:]:
                os.close(descriptor)
        os.close(nothing)
        threads = [threading.Thread(target=each.follow, daemon=True) for each in self._running]
        for thread in threads:
            thread.start()
        decides = not self._wanted[-1].host
        if decides:
            threads[-1].join()
            self._end()
        for thread in threads:
            thread.join()
        output.wait()
        errors.wait()
        failed = [each.status for each in self._running if each.status]
        return self._running[-1].status or 0 if decides else next(iter(failed), 0)

    def _input(self) -> int:
        """Return our standard input, or one without content if it is a terminal that another job has."""
        return os.open(os.devnull, os.O_RDONLY) if is_in_background() else 0

    def _begun(self, wanted: Wanted, order: Order, files: tuple[int, int, int], **on: Any) -> Guarded:
        program = Guarded(self._orders.order(wanted.host, order, files), **on)
        self._running.append(program)
        return program

    def _end_in_time(self) -> None:
        self.is_timed_out = True
        self._end()

    def _end(self) -> None:
        """End all programs: ask them, and a little later do not ask."""
        for number in (signal.SIGTERM, signal.SIGCONT):
            self.signal(number)
        deadline = time.monotonic() + KILL_AFTER_S
        while any(each.status is None for each in self._running) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        self.signal(signal.SIGKILL)

    def _lost(self, error: OSError) -> None:
        """End all programs, as the kernel ends one that writes what nobody reads."""
        if not isinstance(error, BrokenPipeError):
            self._unwritable = f"their output cannot be written: {error.strerror}"
        self.signal(signal.SIGPIPE)
