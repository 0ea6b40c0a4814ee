"""What a scenario reports while it runs: phases, progress, checks, and the facts of its story."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.experiment.stories import told
from testbed.sandbox.records import Channel

PROGRESS_EVERY_S = 0.1
STORIES = Path(__file__).resolve().parents[2] / "scenarios" / "stories"


class Report:
    """Sends everything to the launcher at once, so that it is kept whatever happens next."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told_at = 0.0
        self._phases: list[dict[str, Any]] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Name what is being done, and time it."""
        started = time.monotonic()
        self._channel.send("phase", name=name)
        yield
        self._phases.append({"phase": name, "seconds": round(time.monotonic() - started, 3)})
        self.series(phases=self._phases)

    def progress(self, done: int, total: int) -> None:
        """Say how far the current phase is; most calls cost nothing."""
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_S or done == total:
            self._told_at = now
            self._channel.send("progress", done=done, total=total)

    def check(self, claim: str, *, expected: Any, observed: Any, source: str) -> None:
        """Check a claim: what was observed must equal what is expected."""
        self._check(claim, expected, observed, source, expected == observed)

    def check_at_most(self, claim: str, *, limit: float, observed: float | None, source: str) -> None:
        """Check a claim: what was observed must not exceed the limit; None was not observed, and fails."""
        self._check(claim, f"at most {limit}", observed, source, observed is not None and observed <= limit)

    def check_between(self, claim: str, *, least: float, most: float, observed: float | None, source: str) -> None:
        """Check a claim: what was observed must be from `least` to `most`; None was not observed, and fails."""
        expected = least if least == most else f"{least} to {most}"
        self._check(claim, expected, observed, source, observed is not None and least <= observed <= most)

    def _check(self, claim: str, expected: Any, observed: Any, source: str, ok: bool) -> None:
        self._channel.send(
            "check",
            check={"claim": claim, "expected": expected, "observed": observed, "ok": ok, "source": source},
        )

    def environment(self, **facts: str) -> None:
        """Add to the description of the machine and the programs."""
        self._channel.send("environment", environment=facts)

    def outcomes(self, counts: dict[str, int]) -> None:
        """Give the number of attempts by outcome."""
        self._channel.send("outcomes", outcomes=dict(counts))

    def counters(self, counters: dict[str, int | None]) -> None:
        """Give the gateway's counters, the second witness."""
        self._channel.send("counters", counters=counters)

    def series(self, **series: Any) -> None:
        """Give rows of measurements, by name."""
        self._channel.send("series", series=series)

    def tell(self, story: str, **facts: Any) -> None:
        """Tell in words what happened: a template of `scenarios/stories`, by its name, filled with the facts."""
        self._channel.send("story", text=told((STORIES / f"{story}.j2").read_text(), **facts))
