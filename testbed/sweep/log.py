"""The points of a sweep that are done: a line of JSON for each, in `points.jsonl`.

A line is written at once and flushed to the disk, so a command that is killed loses what was under way, and
what is half written is no line. The next command with the same folder cuts that off and goes on. A point that
broke is done again, and then its later line counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.sandbox.enter import MachineError
from testbed.sweep.estimates import Measured, measured
from testbed.sweep.grid import Combination
from testbed.sweep.point import Point

POINTS = "points.jsonl"


@dataclass(frozen=True, slots=True)
class Done:
    """What is kept in memory of a point that is done."""

    point: Point
    verdict: str
    measured: Measured
    offered: int
    duration_s: float

    @property
    def is_broken(self) -> bool:
        """Whether it has shown nothing."""
        return self.verdict == "error"


class Log:
    """The points that are done, on disk and by their combinations."""

    def __init__(self, folder: Path, measures: Sequence[str]) -> None:
        """Read what is there. Raises ConfigurationError for a line that is no point, with its number."""
        self._path = folder / POINTS
        self._measures = measures
        self._done: dict[str, dict[int, Done]] = {}
        self._file = os.open(
            self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
        )
        for number, line in enumerate(self._lines(), 1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigurationError(
                    f"{self._path}: line {number} is no point of a sweep ({type(error).__name__}: {error}); take "
                    "another --out, or remove the line"
                ) from None

    def add(self, point: Point, told: dict[str, Any]) -> dict[str, Any]:
        """Keep the results of a point, and return the line that has them. Raises MachineError if it cannot."""
        line = {**told, "point": point.combination, "seed": point.seed}
        text = (json.dumps(line, default=str) + "\n").encode()
        try:
            while text:
                text = text[os.write(self._file, text) :]
            os.fsync(self._file)
        except OSError as error:
            raise MachineError(f"{self._path} cannot be written: {error.strerror}") from None
        self._take(line)
        return line

    def has(self, point: Point) -> bool:
        """Whether a point is done, and did not break."""
        done = self._done.get(point.of, {}).get(point.seed)
        return done is not None and not done.is_broken

    def of(self, combination: Combination) -> list[Done]:
        """Return what is done of a combination, in the order of the seeds; without what broke."""
        done = self._done.get(Point(combination, 0).of, {})
        return [done[seed] for seed in sorted(done) if not done[seed].is_broken]

    def close(self) -> None:
        """Take no more points."""
        os.close(self._file)

    def __iter__(self) -> Iterator[Done]:
        return (each for done in self._done.values() for each in done.values())

    def _take(self, line: dict[str, Any]) -> None:
        point = Point(line["point"], line["seed"])
        self._done.setdefault(point.of, {})[point.seed] = Done(
            point,
            line.get("verdict", "pass"),
            measured(line, self._measures),
            int(line.get("offered", 0)),
            float(line.get("duration_s", 0.0)),
        )

    def _lines(self) -> Iterator[bytes]:
        """Yield the whole lines, and cut off what follows the last one."""
        with open(self._file, "rb", closefd=False) as file:
            whole = 0
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, whole)
                    return
                whole += len(line)
                yield line
