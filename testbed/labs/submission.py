"""A submission behind walls, and the calls that a grading makes to it.

What it sees is a folder with a copy of itself, `testbed/labs/answering.py`, and the modules of the product that
`controller.api` needs. It sees neither this checkout, where the strategies are, nor the other submissions.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from controller.settings import ConfigurationError
from testbed.run.strangers import CHECKOUT, lacks_walls
from testbed.sandbox.apart import ApartError
from testbed.sandbox.dialogue import Dialogue
from testbed.sandbox.enter import MachineError
from testbed.sandbox.walls import Limits, WallsError
from testbed.sandbox.words import harmless

LIMITS = Limits(processes=16, memory=512 << 20, file=1 << 20)
LARGEST = 1 << 20
"""The bytes of a submission that is still read."""
STARTS = 2
"""How often a submission that ends its process is started again, for the requirements that are left."""
ANSWERING = Path(__file__).with_name("answering.py")
PRODUCT = (
    "controller/__init__.py",
    "controller/api.py",
    "controller/nat/__init__.py",
    "controller/nat/model.py",
    "controller/nat/port_set.py",
    "controller/nat/tcp.py",
    "controller/nat/timers.py",
    "controller/nat/strategies/__init__.py",
    "controller/nat/strategies/allocators/allocator.py",
    "controller/nat/strategies/exhaustion/policy.py",
)
"""What a submission may import of the product."""
WITHOUT_STRATEGIES = ("controller/nat/strategies/allocators", "controller/nat/strategies/exhaustion")
"""Packages of which a submission gets the base class, and none of ours that derive from it."""

Value: TypeAlias = int | str | None
"""What a call returned; as a text, what it did otherwise: `raised ...` or `returned ...`."""
Call: TypeAlias = tuple[str, *tuple[Any, ...]]


class DiedError(Exception):
    """The submission does not answer any more. The message continues a sentence: what it did."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The folders that a submission must not see, besides those that nobody sees."""

    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, *paths: Path | None) -> Hidden:
        """Return the folders of these files, this checkout and the current folder."""
        files = [path.resolve() for path in paths if path is not None]
        wanted = [CHECKOUT, Path.cwd(), *(path if path.is_dir() else path.parent for path in files)]
        needed = Path(sys.base_prefix).resolve()
        return cls(tuple(each for each in dict.fromkeys(wanted) if each != needed and each not in needed.parents))


class Submission:
    """A file that is graded: it is started when it is first asked, and again if it ended."""

    def __init__(self, folder: Path, hidden: Hidden, kind: str) -> None:
        self._folder, self._hidden, self._kind = folder, hidden, kind
        self._dialogue: Dialogue | None = None
        self._starts = 0
        self._last_death = ""
        self._made = 0
        self.said = ""
        """What it has printed."""
        self.calls = 0
        """The number of calls that were made to it."""

    @property
    def processor_s(self) -> float:
        """The processor time that it has used."""
        return self._dialogue.processor_s if self._dialogue else 0.0

    def new(self, ranges: Sequence[range], seed: int) -> int:
        """Make an allocator, and return its number. Raises DiedError if that fails."""
        self._made += 1
        self.ask("new", self._made, [(each.start, each.stop) for each in ranges], seed)
        return self._made

    def policy(self) -> tuple[int, bool]:
        """Make a policy, and return its number, and whether it evicts. Raises DiedError if that fails."""
        self._made += 1
        answer = self.ask("policy", self._made)
        if not isinstance(answer, list) or not answer or not isinstance(answer[0], bool):
            raise self._dead("answered what is no policy")
        return self._made, answer[0]

    def words(self, *question: Any) -> list[Any]:
        """Return the words that are the answer to a question, the first of which is a text. Raises DiedError."""
        self.calls += 1
        answer = self.ask(*question)
        if not isinstance(answer, list) or not answer or not isinstance(answer[0], str):
            raise self._dead("answered what is no list of words")
        return answer

    def call(self, allocator: int, calls: Sequence[Call]) -> list[Value]:
        """Make calls to an allocator in turn, and return their values. Raises DiedError."""
        self.calls += len(calls)
        values = self.ask("calls", allocator, calls)
        if not isinstance(values, list) or len(values) != len(calls):
            raise self._dead("answered what is no list of values")
        return [_value(each) for each in values]

    def ask(self, *question: Any) -> Any:
        """Return what comes of a question. Raises DiedError."""
        try:
            if self._dialogue is None:
                self._start()
            assert self._dialogue is not None
            answer = self._dialogue.ask(question)
        except ApartError as error:
            raise self._dead(str(error)) from None
        if isinstance(answer, list) and len(answer) == 2 and answer[0] in ("value", "raised"):
            if answer[0] == "value":
                return answer[1]
            raise DiedError(f"raised {_words(answer[1])}")
        raise self._dead("answered what is no value")

    def close(self) -> None:
        """End it."""
        if self._dialogue is not None:
            self._dialogue.close()
            self.said += self._dialogue.said()
            self._dialogue = None

    def _start(self) -> None:
        if self._starts == STARTS:
            raise DiedError(self._last_death)
        self._starts += 1
        program = [os.path.realpath(sys.executable), "-ISBu", str(self._folder / ANSWERING.name)]
        shown = [self._folder, Path(sys.base_prefix).resolve()]
        try:
            self._dialogue = Dialogue(program, shown=shown, covered=self._hidden.folders, limits=LIMITS)
            answer = self._dialogue.ask(["load", self._kind])
        except WallsError as error:
            raise MachineError(lacks_walls(error)) from None
        if answer != ["value", None]:
            words = answer[1] if isinstance(answer, list) and len(answer) == 2 else answer
            raise self._dead(f"cannot be imported: {_words(words)}")

    def _dead(self, why: str) -> DiedError:
        """End it, and return the error."""
        self.close()
        self._last_death = why
        return DiedError(why)


@contextmanager
def opened(file: Path, hidden: Hidden, kind: str) -> Iterator[Submission]:
    """Open a submission in a folder of its own; nothing of both is left. Raises ConfigurationError."""
    source = content(file)
    with tempfile.TemporaryDirectory(prefix="lastport-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "submission.py").write_bytes(source)
        shutil.copyfile(ANSWERING, folder / ANSWERING.name)
        for module in PRODUCT:
            (folder / "product" / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / module, folder / "product" / module)
        for package in WITHOUT_STRATEGIES:
            (folder / "product" / package / "__init__.py").touch()
        _open_to_all(folder)
        submission = Submission(folder, hidden, kind)
        try:
            yield submission
        finally:
            submission.close()


def content(file: Path) -> bytes:
    """Return what a regular file has, and follow no link. Raises ConfigurationError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened_file:
            if not file.is_file():
                raise ConfigurationError(f"{file} is no file")
            found = opened_file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    if len(found) > LARGEST:
        raise ConfigurationError(f"{file} is larger than {LARGEST >> 20} MiB")
    return found


def _open_to_all(folder: Path) -> None:
    """Have everybody read a folder, whatever the caller's umask is."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _value(told: Any) -> Value:
    """Return a value of an answer; what is none becomes words."""
    if told is None or type(told) is int:
        return told
    return _words(told[0] if isinstance(told, list) and told else told)


def _words(told: Any) -> str:
    """Return words of a submission's as they may be printed."""
    return harmless(str(told)).replace("\n", " ")[:200]
