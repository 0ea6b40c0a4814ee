"""The folder of a sweep: `sweep.json`, which is there before the first point, and the log beside it.

A folder that has a sweep is gone on with, if it is the same one. More values, more repetitions and other measures
are still the same sweep. Another subject is not, and neither is another version of lastport.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.run.folder import SWEEP
from testbed.run.kept import NoResultsError, contents, entered
from testbed.run.opening import opened, opened_for_results
from testbed.run.version import origin
from testbed.sandbox.enter import MachineError
from testbed.sweep.log import POINTS, Log
from testbed.sweep.point import Point
from testbed.sweep.sameness import differences, facts
from testbed.sweep.sweep import Sweep

VERSIONS = ("lastport", "commit", "code", "Python")


class Kept:
    """A sweep's folder, its log, and what its results begin with."""

    def __init__(self, sweep: Sweep, out: Path | None, files: Iterable[str]) -> None:
        """Make the folder, or go on with it. Raises ConfigurationError if it has something else."""
        self._sweep = sweep
        known = facts(sorted(files))
        self._same = {key: value for key, value in known.items() if key in VERSIONS or key.startswith("file ")}
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        before = None if out is None else _before(out)
        self._is_claimed = out is not None
        if out is None or before is None:
            chosen = {**sweep.subject.named, **sweep.subject.given}
            self.folder = opened_for_results(out, ["sweep", sweep.subject.name], chosen, writes=[SWEEP, POINTS])
        else:
            self._require_same(before, out)
            self.folder = opened(out)
            self._claim(out)
            self._started = str(before["started"])
        self.log = Log(self.folder.path, sweep.measures)
        if reason := self.keep():
            raise MachineError(reason)

    def told(self) -> dict[str, Any]:
        """Return the results: each combination with what was measured, and each point in short."""
        sweep, points = self._sweep, [*self.log]
        return {
            "schema": 1,
            **origin().as_json(),
            **self._identity(),
            "grid": {key: [*values] for key, values in sweep.grid.values.items()},
            "repeat": sweep.repeat,
            "seed": sweep.seed,
            "until": sweep.until,
            "measures": [*sweep.measures],
            "started": self._started,
            "duration_s": round(sum(each.duration_s for each in points), 3),
            "combinations": sweep.rows(self.log),
            "points": [
                {
                    "point": each.point.combination,
                    "seed": each.point.seed,
                    "verdict": each.verdict,
                    "measures": {name: value for name, (value, _) in each.measured.items()},
                }
                for each in points
            ],
        }

    def command(self, point: Point) -> list[str]:
        """Return the words of the command that repeats a point."""
        return self._sweep.subject.command(point)

    def close(self) -> None:
        """Leave the folder to the next command."""
        self.log.close()
        if self._is_claimed:
            self.folder.release()

    def keep(self) -> str:
        """Write the results so far; return an empty string, or why that is not possible."""
        return self.folder.keep(SWEEP, json.dumps(self.told(), indent=1, default=str) + "\n")

    def _identity(self) -> dict[str, Any]:
        subject = self._sweep.subject
        return {"scenario": subject.name, "chosen": {**subject.named, **subject.given}, "same": self._same}

    def _require_same(self, before: dict[str, Any], out: Path) -> None:
        own = json.loads(json.dumps(self._identity(), default=str))
        other = [key for key in ("scenario", "chosen") if before.get(key) != own[key]]
        if [*before.get("grid", {})] != [*self._sweep.grid.values]:
            other.append("keys of --grid")
        apart = [*differences(self._same, before.get("same") or {})]
        if other or apart:
            what = "; ".join([*(f"its {each} differ" for each in other), *apart]).replace(" there", " in it")
            raise ConfigurationError(
                f"--out {out} has the points of another sweep: {what}; take another folder, or the same command"
            )

    def _claim(self, out: Path) -> None:
        try:
            self.folder.claim()
        except BlockingIOError:
            raise ConfigurationError(
                f"--out {out}: another command is going on with this sweep; take another folder"
            ) from None


def _before(out: Path) -> dict[str, Any] | None:
    """Return the sweep that a folder has, or None. Raises ConfigurationError if it cannot be read."""
    if not out.exists():
        return None
    try:
        with entered(out, follow=True) as folder:
            found = contents(folder, SWEEP)
        return None if found is None else dict(json.loads(found[0]))
    except (NoResultsError, ValueError, TypeError) as error:
        raise ConfigurationError(f"--out {out}: {SWEEP} cannot be read: {error}; take another folder") from None
