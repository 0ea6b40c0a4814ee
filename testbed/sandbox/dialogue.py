"""A dialogue with a stranger's program behind walls: this process asks, the program answers, and that is all.

    this process        asks by one pipe, reads answers from another, and judges them; nobody else writes a result
      guard             behind the walls; ends the program when this process ends or closes the dialogue
        program (PID 1) in namespaces of its own, without network and capabilities: a new program, and no fork, so
                        that nothing which this process knows is in its memory

Every question has a number that nobody can guess, and only an answer with this number is one. A program may answer
wrongly. It cannot answer what it was not asked, answer twice, or keep this process waiting: it is ended when it
sleeps with a question open, or computes for too long. A program that is slow because the machine is busy is
waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from testbed.sandbox import linux, walls
from testbed.sandbox.apart import NAMESPACES, SIGNALLED, ApartError, guarded, keep_only, lose_rights
from testbed.sandbox.words import harmless

QUESTIONS, ANSWERS = 3, 4
"""The descriptors by which the program is asked, and answers."""
LENGTH = struct.Struct(">I")
"""What stands before each question and each answer: the number of its bytes."""
MOST_ANSWERED = 4 << 20
"""The most bytes of an answer."""
MOST_PRINTED = 64 << 10
"""The bytes that are kept of what the program prints. A program that prints ten times as much is ended."""
MOST_PROCESSOR_S = 10.0
"""The processor time that a program may use for one answer."""
ASLEEP_S = 3.0
"""The seconds that a program may sleep before it answers."""
LOOK_S = 0.1
"""The seconds between two looks at whether a program that owes an answer runs."""
SLEEPING = "S"
"""The state of a process that waits for something else than a processor or a disk, in the kernel's letters."""


class Dialogue:
    """A program behind walls. Use it with `with`: at the end of the block nothing of it is left.

    `program` sees the folders `shown`, and nothing of those `covered`. Raises WallsError if there can be no walls.
    """

    def __init__(
        self, program: Sequence[str], *, shown: Iterable[Path], covered: Iterable[Path], limits: walls.Limits
    ) -> None:
        asked, self._asking = os.pipe()
        self._answer, answering = os.pipe()
        self._words, printed = os.pipe()
        lifeline, self._alive = os.pipe()
        told, telling = os.pipe()
        self.printed = bytearray()
        """What the program has printed, up to `MOST_PRINTED` bytes."""
        self._printed_bytes = 0
        self._content = bytearray()
        self._used = 0.0
        self._status: int | None = None
        self._guard = os.fork()
        if self._guard == 0:
            _be_guard(program, [*shown], [*covered], limits, asked, answering, printed, lifeline, telling)
        for descriptor in (asked, answering, printed, lifeline, telling):
            os.close(descriptor)
        os.set_blocking(self._asking, False)
        try:
            with open(told) as report:
                self._process = _started(report.read())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Dialogue:
        """Return the dialogue."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program."""
        self.close()

    @property
    def processor_s(self) -> float:
        """The processor time that the program has used, until it ended."""
        with contextlib.suppress(OSError):
            self._used = time.clock_gettime(_clock_of(self._process))
        return self._used

    def ask(self, question: Any) -> Any:
        """Return the program's answer, as JSON has it. Raises ApartError if it does not give one."""
        if self._status is not None:
            raise ApartError("has ended")
        number = secrets.token_hex(8)
        content = json.dumps([number, question]).encode()
        answer = self._exchanged(LENGTH.pack(len(content)) + content)
        try:
            repeated, value = json.loads(answer)
        except (ValueError, TypeError, RecursionError):
            raise ApartError("answered what is no answer") from None
        if repeated != number:
            raise ApartError("answered what it was not asked")
        return value

    def close(self) -> None:
        """End the program, and all that it has started."""
        if self._status is not None:
            return
        os.close(self._alive)
        self._status = os.waitstatus_to_exitcode(os.waitpid(self._guard, 0)[1])
        os.set_blocking(self._words, False)
        with contextlib.suppress(BlockingIOError, ApartError):
            while len(self.printed) < MOST_PRINTED and self._more_printed():
                pass
        for descriptor in (self._asking, self._answer, self._words):
            os.close(descriptor)

    def _exchanged(self, question: bytes) -> bytes:
        """Send a question, and return the bytes of the next answer."""
        left = memoryview(question)
        poll = select.poll()
        for descriptor, wanted in ((self._answer, select.POLLIN), (self._words, select.POLLIN)):
            poll.register(descriptor, wanted)
        poll.register(self._asking, select.POLLOUT)
        used = begun = self.processor_s
        asleep_since: float | None = None
        while (answer := self._whole()) is None:
            ready = dict(poll.poll(LOOK_S * 1000))
            if self._asking in ready:
                try:
                    left = left[os.write(self._asking, left) :]
                except BrokenPipeError:
                    left = left[:0]
                if not left:
                    poll.unregister(self._asking)
            if self._words in ready and not self._more_printed():
                poll.unregister(self._words)
            if self._answer in ready:
                part = os.read(self._answer, 1 << 20)
                self._content += part
                if not part:
                    raise ApartError(self._ended())
            now, before = time.monotonic(), used
            used = self.processor_s
            if used - begun > MOST_PROCESSOR_S:
                raise ApartError(f"used more than {MOST_PROCESSOR_S:g} s of the processor")
            if ready or used != before or self._state() != SLEEPING:
                asleep_since = None
            elif asleep_since is None:
                asleep_since = now
            elif now - asleep_since > ASLEEP_S:
                raise ApartError(f"slept for more than {ASLEEP_S:g} s, and did not answer")
        return answer

    def _whole(self) -> bytes | None:
        """Return the answer if all of it is there."""
        if len(self._content) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._content)
        if length > MOST_ANSWERED:
            raise ApartError(f"answered more than {MOST_ANSWERED >> 20} MiB")
        if len(self._content) < LENGTH.size + length:
            return None
        answer = bytes(self._content[LENGTH.size : LENGTH.size + length])
        del self._content[: LENGTH.size + length]
        return answer

    def _more_printed(self) -> bool:
        """Read what was printed; return whether there may be more."""
        part = os.read(self._words, 1 << 16)
        self.printed += part[: MOST_PRINTED - len(self.printed)]
        self._printed_bytes += len(part)
        if self._printed_bytes > 10 * MOST_PRINTED:
            raise ApartError(f"printed more than {10 * MOST_PRINTED >> 10} KiB")
        return bool(part)

    def _state(self) -> str:
        """Return the state of the program, as the kernel has it."""
        try:
            return Path(f"/proc/{self._process}/stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            return ""

    def _ended(self) -> str:
        """Return how the program ended without an answer."""
        self.close()
        status = self._status or 0
        if status > SIGNALLED:
            return f"ended the process that it runs in by {signal.Signals(status - SIGNALLED).name}"
        return f"ended the process that it runs in with status {status}"

    def said(self) -> str:
        """Return what the program has printed, without control characters."""
        return harmless(self.printed.decode(errors="backslashreplace"))


def _clock_of(process: int) -> int:
    """Return the number of the clock of another process's processor time (clock_getcpuclockid(3))."""
    return (~process << 3) | 2


def _started(report: str) -> int:
    """Return the process of a program, from what its guard reports. Raises WallsError."""
    kind, _, value = report.partition(" ")
    if kind != "process":
        raise walls.WallsError(value or "the process that builds the walls ended")
    return int(value)


def _be_guard(
    program: Sequence[str],
    shown: list[Path],
    covered: list[Path],
    limits: walls.Limits,
    asked: int,
    answering: int,
    printed: int,
    lifeline: int,
    telling: int,
) -> NoReturn:
    """Build the walls, start the program, and end with it; end it when the other end of the lifeline closes."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        keep_only(printed, asked, answering, lifeline, telling)
        walls.build(shown, [], limits, covered=covered)
        linux.unshare(NAMESPACES)
        child = os.fork()
        if child == 0:
            _be_program(program, asked, answering)
        for descriptor in (asked, answering):
            os.close(descriptor)
        os.write(telling, f"process {child}".encode())
        os.close(telling)
        status = guarded(child, lifeline)
    except (walls.WallsError, OSError) as error:
        with contextlib.suppress(OSError):
            os.write(telling, f"walls {error}".encode())
    finally:
        os._exit(status)


def _be_program(program: Sequence[str], asked: int, answering: int) -> NoReturn:
    """Become the program, without any right, and with nothing but its pipes."""
    try:
        lose_rights()
        os.chdir("/tmp")
        high = [os.dup2(descriptor, 100 + place) for place, descriptor in enumerate((asked, answering))]
        for place, descriptor in zip((QUESTIONS, ANSWERS), high, strict=True):
            os.dup2(descriptor, place, inheritable=True)
        os.closerange(ANSWERS + 1, os.sysconf("SC_OPEN_MAX"))
        os.execve(program[0], [*program], {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"})
    except BaseException as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(1)
