"""What runs behind the walls of a grading: it imports a submission, makes calls to it, and answers their values.

It knows nothing of requirements, points, seeds to come or the course's key: these are in another process. So a
submission that takes this program over can do no more than answer values.

It is copied beside the submission and started there with the standard library alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import struct
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUESTIONS, ANSWERS = 3, 4
LENGTH = struct.Struct(">I")
LONGEST = 300
"""The characters of an error's words that are answered."""


class Answering:
    """Makes the calls that it is asked for, to objects of one submission."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._made: dict[int, Any] = {}
        self._class: Any = None

    def answer(self, name: str, *arguments: Any) -> Any:
        """Return the value of one question. An error of the submission's is a value, too."""
        return getattr(self, f"_{name}")(*arguments)

    def _load(self) -> None:
        """Import the file, and find its one allocator."""
        from controller.api import Allocator

        spec = importlib.util.spec_from_file_location("submission", self._file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["submission"] = module
        spec.loader.exec_module(module)
        found = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Allocator) and each.__module__ == "submission"
        ]
        if len(found) != 1:
            raise TypeError(f"the file has {len(found)} classes that derive from Allocator, and needs one")
        (self._class,) = found

    def _new(self, number: int, ranges: list[tuple[int, int]], seed: int) -> None:
        """Make an allocator of these ranges of ports, with its own seed."""
        from controller.api import PortPlan
        from controller.nat.port_set import united

        ports = united(range(start, end) for start, end in ranges)
        plan = PortPlan(ports=ports, rng=random.Random(seed), port_set_size=64, port_set_timeout=60.0)
        self._made.pop(number, None)
        self._made[number] = self._class(plan)

    def _calls(self, number: int, calls: list[list[Any]]) -> list[Any]:
        """Make calls in turn, each `[method, ...]`, and return the value of each."""
        from controller.api import Endpoint

        made, values = self._made[number], []
        for method, *arguments in calls:
            if method == "allocate":
                address, port, now = arguments
                values.append(tried(made.allocate, Endpoint(address, port), now))
            elif method == "release":
                values.append(tried(made.release, *arguments))
            else:
                values.append(tried(made.__len__))
        return values


def tried(call: Any, *arguments: Any) -> Any:
    """Return a number or None that a call returns, and words in a list for everything else."""
    try:
        value = call(*arguments)
    except Exception as error:
        return [f"raised {type(error).__name__}: {error}"[:LONGEST]]
    if value is None or type(value) is int:
        return value
    return [f"returned {value!r}"[:LONGEST]]


def main() -> None:
    """Answer questions until there are no more."""
    sys.path.insert(0, str(HERE / "product"))
    answering = Answering(HERE / "submission.py")
    with os.fdopen(QUESTIONS, "rb") as questions, os.fdopen(ANSWERS, "wb") as answers:
        while head := questions.read(LENGTH.size):
            number, question = json.loads(questions.read(*LENGTH.unpack(head)))
            try:
                value = ["value", answering.answer(*question)]
            except Exception as error:
                value = ["raised", f"{type(error).__name__}: {error}"[:LONGEST]]
            content = json.dumps([number, value]).encode()
            answers.write(LENGTH.pack(len(content)) + content)
            answers.flush()


if __name__ == "__main__":
    main()
