"""Submissions of lab 2: the reference, wrong ones that differ from it in a line, and one that needs no walls."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from testbed.labs import answering
from testbed.labs.submission import Hidden, Submission
from tests.support.paths import ROOT

REFERENCE = (ROOT / "docs/labs/answers/02-write-an-allocator.py").read_text()
DRAW = "place = self._rng.randrange(len(self._free))"
SWAP = "self._free[place], self._free[-1] = self._free[-1], self._free[place]\n        port = self._free.pop()"
WRONG: dict[str, tuple[str, str, set[str]]] = {
    "reports one port too many": (
        "return len(self._free)",
        "return len(self._free) + 1",
        {"all-ports-free", "counts-free"},
    ),
    "takes two ranges for one": (
        "list(plan.ports)",
        "list(range(plan.ports[0], plan.ports[0] + len(plan.ports)))",
        {"own-ports"},
    ),
    "gives a released port twice": (
        "self._free.append(port)",
        "self._free += [port, port]",
        {"one-owner", "counts-free", "given-back"},
    ),
    "keeps one port back": ("not self._free", "len(self._free) < 2", {"last-port"}),
    "raises when it is full": ("not self._free or ", "", {"returns-none"}),
    "always has the same length": (
        "        return len(self._free)",
        "        return self._length",
        {"counts-free"},
    ),
    "loses every released port": (
        "        self._free.append(port)\n",
        "",
        {"counts-free", "given-back", "constant-time"},
    ),
    "has no quota": (" or self._taken[internal.address] == QUOTA", "", {"quota", "quota-given-back"}),
    "counts each socket by itself": (
        "self._taken[internal.address] == QUOTA",
        "self._taken[internal] == QUOTA",
        {"quota", "quota-given-back"},
    ),
    "never counts a port back": (
        "self._owner.pop(port)] -= 1",
        "self._owner.pop(port)] -= 0",
        {"quota-given-back"},
    ),
    "gives the port that came back last": (DRAW, "place = len(self._free) - 1", {"unguessable"}),
    "draws from a generator of its own": ("plan.rng", "__import__('random').Random()", {"repeatable"}),
    "has one seed for all": ("plan.rng", "__import__('random').Random(1)", {"unguessable"}),
    "looks through a list": (SWAP, "port = self._free[place]\n        self._free.remove(port)", {"constant-time"}),
}
"""By what each does: what it has in place of a line of the reference, and the requirements that it fails."""


def wrong(name: str, source: str = REFERENCE) -> str:
    """Return the source of a wrong submission."""
    old, new, _ = WRONG[name]
    assert old in source
    changed = source.replace(old, new)
    return changed.replace("self._rng = plan.rng", "self._rng = plan.rng\n        self._length = len(self._free)")


class Here(Submission):
    """A submission that is imported by this process: for code of ours, by the same answering program."""

    def __init__(self, file: Path, kind: str = "allocator") -> None:
        super().__init__(file.parent, Hidden(), kind)
        self._answering = answering.Answering(file)
        self._answering.answer("load", kind)

    @property
    def processor_s(self) -> float:
        """The processor time of this process."""
        return time.process_time()

    def ask(self, *question: Any) -> Any:
        """Return what comes of a question, as data."""
        return json.loads(json.dumps(self._answering.answer(*json.loads(json.dumps(question)))))
