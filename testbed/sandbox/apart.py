"""Work that meets a stranger's code before a run: a child of this process does it behind walls, and returns data.

    this process        reads what comes back: JSON, and what the code printed
      guard             behind the walls; ends the child when this process ends or gives up waiting
        child (PID 1)   with namespaces of its own and no network, without capabilities: does the work

The child is a fork, so it has all that is imported here, and what it imports is gone with it. Nothing that comes
back is executed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from testbed.sandbox import linux, walls
from testbed.sandbox.slowness import patient
from testbed.sandbox.words import harmless

LIMITS = walls.Limits(processes=64, memory=1 << 30, file=16 << 20)
WITHIN_S = 60.0
MOST_ANSWERED = 16 << 20
"""The most bytes of an answer."""
MOST_PRINTED = 1 << 20
"""The most bytes that the code may print."""
MOST_RAISED = 100_000
"""The most characters of a refusal."""
SIGNALLED = 128
"""What a shell adds to the number of a signal that ended a process."""
NAMESPACES = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS


class ApartError(Exception):
    """The work did not come to its end. The message continues a sentence: what the code did."""


class RaisedError(Exception):
    """The work raised one of the expected errors: the name of its class, and its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _State:
    is_apart = False


def is_apart() -> bool:
    """Whether this process is the child, so that there are walls already."""
    return _State.is_apart


@dataclass(slots=True)
class _Read:
    """What came through a pipe so far."""

    descriptor: int
    most: int
    is_over: bool = False
    content: bytearray = field(default_factory=bytearray)

    def more(self) -> None:
        part = os.read(self.descriptor, 1 << 20)
        self.content += part
        self.is_over = not part


def apart(
    work: Callable[[], Any],
    *,
    raises: Collection[type[Exception]],
    shown: Iterable[Path],
    files: Iterable[Path],
    within: float | None = None,
) -> Any:
    """Return what `work` returns, as JSON has it, done by a child behind walls that sees `shown` and `files`.

    Raises RaisedError for an error that `raises` has, ApartError if the child did not come to its end, and
    WallsError if there can be no walls. What was printed goes to standard error.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    answer, answered = os.pipe()
    words, printed = os.pipe()
    lifeline, alive = os.pipe()
    guard = os.fork()
    if guard == 0:
        _be_guard(work, [*raises], [*shown], [*files], answered, printed, lifeline)
    for descriptor in (answered, printed, lifeline):
        os.close(descriptor)
    reply, said = _Read(answer, MOST_ANSWERED), _Read(words, MOST_PRINTED)
    try:
        why = _read(patient(WITHIN_S) if within is None else within, reply, said)
    finally:
        os.close(alive)
        status = os.waitstatus_to_exitcode(os.waitpid(guard, 0)[1])
        _repeat(said)
        os.close(answer)
        os.close(words)
    if why:
        raise ApartError(why)
    return _value(reply.content, status)


def _read(within: float, *pipes: _Read) -> str:
    """Read to the end of all pipes; return why that was given up, or an empty text."""
    deadline = time.monotonic() + within
    poll = select.poll()
    reading = {pipe.descriptor: pipe for pipe in pipes}
    for descriptor in reading:
        poll.register(descriptor, select.POLLIN)
    while not pipes[0].is_over:
        left = deadline - time.monotonic()
        if left <= 0:
            return f"took longer than {within:g} s"
        for descriptor, _ in poll.poll(left * 1000):
            pipe = reading[descriptor]
            pipe.more()
            if pipe.is_over:
                poll.unregister(descriptor)
            if len(pipe.content) > pipe.most:
                return f"printed or declared more than {pipe.most >> 20} MiB"
    return ""


def _repeat(said: _Read) -> None:
    """Print what the code printed, to its end: nobody is left who could print more."""
    while not said.is_over and len(said.content) < said.most:
        said.more()
    if said.content:
        with contextlib.suppress(OSError):
            words = said.content[: said.most].decode(errors="backslashreplace")
            print(harmless(words), end="", file=sys.stderr, flush=True)


def _value(content: bytearray, status: int) -> Any:
    """Return the value of an answer. Raises what its child raised."""
    try:
        kind, *value = json.loads(content)
    except (ValueError, TypeError, RecursionError):
        is_signal = status - SIGNALLED in set(signal.Signals)
        how = f"by {signal.Signals(status - SIGNALLED).name}" if is_signal else f"with status {status}"
        raise ApartError(f"ended the program that imports it {how}") from None
    if kind == "value":
        return value[0]
    if kind == "failed":
        raise ApartError(f"raised {value[0]}")
    if kind == "walls":
        raise walls.WallsError(value[0])
    raise RaisedError(str(kind), str(value[0]))


def _be_guard(
    work: Callable[[], Any],
    raises: list[type[Exception]],
    shown: list[Path],
    files: list[Path],
    answered: int,
    printed: int,
    lifeline: int,
) -> NoReturn:
    """Build the walls, start the child, and end with it; end it when the other end of the lifeline closes."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        keep_only(printed, answered, lifeline)
        walls.build(shown, files, LIMITS)
        linux.unshare(NAMESPACES)
        child = os.fork()
        if child == 0:
            os.close(lifeline)
            _be_child(work, raises, answered)
        os.close(answered)
        status = guarded(child, lifeline)
    except (walls.WallsError, OSError) as error:
        _answer(answered, "walls", str(error))
    finally:
        os._exit(status)


def keep_only(printed: int, *kept: int) -> None:
    """Print to a pipe, read nothing, and close all else, which stands for what is outside of the walls."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def guarded(child: int, lifeline: int) -> int:
    """Wait for the child's end, and return its exit status, as a shell has it where a signal ended the child."""
    poll = select.poll()
    watched = os.pidfd_open(child)
    for descriptor in (watched, lifeline):
        poll.register(descriptor, select.POLLIN)
    if watched not in {descriptor for descriptor, _ in poll.poll()}:
        os.kill(child, signal.SIGKILL)  # and with PID 1 all that it has started
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else SIGNALLED - status


def _be_child(work: Callable[[], Any], raises: list[type[Exception]], answered: int) -> NoReturn:
    """Do the work, without any right, and send what comes of it."""
    _State.is_apart = True
    sys.stdout = os.fdopen(1, "w", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    try:
        lose_rights()
    except OSError as error:
        _answer(answered, "walls", str(error))
        os._exit(1)
    try:
        _answer(answered, "value", work())
    except tuple(raises) as error:
        _answer(answered, type(error).__name__, str(error)[:MOST_RAISED])
    except BaseException as error:  # a stranger's code may fail in any way
        _answer(answered, "failed", f"{type(error).__name__}: {error}"[:MOST_RAISED])
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)


def lose_rights() -> None:
    """Have a `/proc` of this process's own namespaces, and no capability; end with the parent. Raises OSError."""
    linux.mount("proc", "/proc", "proc")
    linux.mount_read_only("/proc")
    linux.drop_capabilities()
    linux.die_with_parent()


def _answer(descriptor: int, kind: str, value: Any) -> None:
    """Send the answer, unless this is a process that the work has forked."""
    if is_apart() and os.getpid() != 1:
        return
    content = memoryview(json.dumps([kind, value]).encode())
    while content:
        content = content[os.write(descriptor, content) :]
