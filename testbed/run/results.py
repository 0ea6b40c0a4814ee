"""The result of a run: it is gathered record by record, kept whatever happens, and written as `results.json`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed.evidence.outcomes import OUTCOMES
from testbed.experiment.plan import Run
from testbed.run.exit_status import EXIT_STATUS, ExitStatus
from testbed.run.packages import installed
from testbed.run.version import Origin, origin


@dataclass(slots=True)
class Result:
    """The result of a run, as far as it is known so far."""

    run: Run
    origin: Origin = field(default_factory=origin)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    environment: dict[str, str] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    counters: dict[str, int | None] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    story: str = ""
    error: str = ""
    last_words: str = ""
    done: bool = False
    unkept: str = ""
    """The reason why the results are not in their folder, if they are not."""
    unrecorded: str = ""
    """The reason why the recording lacks something, if it does. It costs nothing else."""
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
            case {"kind": "machine", "machine": measured}:
                self.machine |= measured
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

    @property
    def status(self) -> ExitStatus:
        """The exit status: that of the verdict, or of a machine that cannot keep the results."""
        verdict = EXIT_STATUS[self.verdict]
        return max(verdict, ExitStatus.MACHINE_LACKS) if self.unkept else verdict

    def as_json(self, files: dict[str, str]) -> dict[str, Any]:
        """Return the object that `--json` prints and `results.json` holds."""
        result = {
            "schema": 1,
            **self.origin.as_json(),
            "scenario": self.run.scenario,
            "question": self.run.question,
            "claim": self.run.claim,
            "gateway": self.run.gateway,
            "profile": self.run.profile,
            "topology": self.run.topology,
            "network": self.run.network and self.run.network.model_dump(mode="json"),
            "parameters": self.run.described(),
            "settings": self.run.settings_by_gateway(),
            "chosen": self.run.chosen,
            "seed": self.run.seed,
            "verdict": self.verdict,
            "started": self.started.isoformat(timespec="seconds"),
            "duration_s": self.duration_s,
            "environment": self.environment,
            "packages": installed(),
            "machine": self.machine,
            "story": self.story,
            "checks": self.checks,
            "outcomes": self.outcomes,
            "counters": self.counters,
            "series": self.series,
            "files": files,
        }
        if self.error:
            result |= {"error": self.error, "last_words": self.last_words}
        if self.unrecorded:
            result["unrecorded"] = self.unrecorded
        return {**result, "unkept": self.unkept} if self.unkept else result
