"""The result of a run: it is gathered record by record, kept whatever happens, and written as `results.json`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from testbed.evidence.outcomes import OUTCOMES
from testbed.experiment.plan import Run

SIDES = ("inside", "outside")
"""The sides of a NAT. Each has a capture if `--pcap` asks for it."""


@dataclass(slots=True)
class Result:
    """The result of a run, as far as it is known so far."""

    run: Run
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    environment: dict[str, str] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    counters: dict[str, int | None] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    story: str = ""
    error: str = ""
    last_words: str = ""
    done: bool = False
    interrupted: bool = False
    _clock: float = field(default_factory=time.monotonic)
    duration_s: float = 0.0

    def take(self, record: dict[str, Any]) -> None:
        """Add a record from the sandbox to the result."""
        match record:
            case {"kind": "environment", "environment": facts}:
                self.environment |= facts
            case {"kind": "check", "check": check}:
                self.checks.append(check)
            case {"kind": "outcomes", "outcomes": counts}:
                self.outcomes |= counts
            case {"kind": "counters", "counters": counters}:
                self.counters |= counters
            case {"kind": "series", "series": series}:
                self.series |= series
            case {"kind": "story", "text": text}:
                self.story = text
            case {"kind": "broken", "reason": reason, "last_words": words}:
                self.break_off(reason, words)
            case {"kind": "done"}:
                self.done = True

    def break_off(self, reason: str, last_words: str = "") -> None:
        """Note the reason why the run broke. The first reason counts."""
        self.error = self.error or reason
        self.last_words = self.last_words or last_words

    def finish(self) -> None:
        """Note that the sandbox is gone, and the duration of the run."""
        self.duration_s = round(time.monotonic() - self._clock, 3)
        if not self.done:
            self.break_off("the run ended before its time")

    @property
    def verdict(self) -> str:
        """`pass`, `fail` or `error`. A run without checks has shown nothing, and is an error."""
        if self.error or not self.checks:
            return "error"
        return "pass" if all(check["ok"] for check in self.checks) else "fail"

    def as_json(self, files: dict[str, str]) -> dict[str, Any]:
        """Return the object that `--json` prints and `results.json` holds."""
        result = {
            "schema": 1,
            "scenario": self.run.scenario,
            "gateway": self.run.gateway,
            "profile": self.run.profile,
            "topology": self.run.topology,
            "parameters": self.run.described(),
            "seed": self.run.seed,
            "verdict": self.verdict,
            "started": self.started.isoformat(timespec="seconds"),
            "duration_s": self.duration_s,
            "environment": self.environment,
            "checks": self.checks,
            "outcomes": self.outcomes,
            "counters": self.counters,
            "series": self.series,
            "files": files,
        }
        return {**result, "error": self.error, "last_words": self.last_words} if self.error else result


class Folder:
    """The folder of a run's results. Under sudo everything in it belongs to the calling user."""

    def __init__(self, path: Path) -> None:
        made = [parent for parent in (path, *path.parents) if not parent.exists()]
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._captures: dict[str, Path] = {}
        tempfile.TemporaryFile(dir=path).close()  # raises now, and not after the run, if nothing can be written
        for folder in made:
            descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
            give_to_caller(descriptor)
            os.close(descriptor)

    def captures(self) -> dict[str, IO[bytes]]:
        """Make an empty file for the frames of each side, in the place of any older one, and return them open."""
        made = {}
        for side in SIDES:
            self._captures[side] = self.path / f"{side}.pcapng"
            made[side] = self._new("wb")
            os.replace(made[side].name, self._captures[side])
        return made

    def write(self, result: Result) -> dict[str, Any]:
        """Write `results.json`, whole or not at all, and return what it holds."""
        files = {"results": str(self.path / "results.json")}
        for side, path in self._captures.items():
            if path.stat().st_size:
                files[side] = str(path)
            else:
                path.unlink()  # the run broke before there was a network
        written = result.as_json(files)
        self.write_text("results.json", json.dumps(written, indent=2) + "\n")
        return written

    def write_text(self, name: str, text: str) -> None:
        """Write a file, whole or not at all."""
        with self._new("w") as half:
            half.write(text)
        os.replace(half.name, self.path / name)

    def _new(self, mode: str) -> IO[Any]:
        """Open a new file under a temporary name: root must not write through a link that another user made."""
        made = tempfile.NamedTemporaryFile(mode, dir=self.path, delete=False)  # noqa: SIM115 (for the caller)
        os.fchmod(made.fileno(), 0o644)
        give_to_caller(made.fileno())
        return made


def default_folder(run: Run, started: datetime) -> Path:
    """Return the path of a new folder below `runs`, named by time, scenario and gateway."""
    return stamped(started, *(Path(name.partition(":")[0]).stem for name in (run.scenario, run.gateway)))


def stamped(started: datetime, *names: str) -> Path:
    """Return the path of a folder below `runs` that does not exist yet, named by time and these names."""
    stamp = started.astimezone().strftime("%Y%m%d-%H%M%S")
    base = Path("runs") / "-".join([stamp, *names])
    candidates = (base, *(base.with_name(f"{base.name}-{count}") for count in range(2, 1000)))
    return next(path for path in candidates if not path.exists())


def give_to_caller(descriptor: int) -> None:
    """Give an open file or folder to the user who called sudo, if this process is root by sudo."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if uid and gid and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # some filesystems have no owners
            os.fchown(descriptor, int(uid), int(gid))
