"""What a scenario reports while it runs: phases, progress, checks, figures, and its story."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.sandbox.records import Channel

PROGRESS_EVERY_S = 0.1


class Report:
    """Sends each report to the launcher at once, so that it is kept whatever happens next."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told_at = 0.0
        self._phases: list[dict[str, Any]] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Report a phase by its name, and time the `with` block that is this phase."""
        started = time.monotonic()
        self._channel.send("phase", name=name, at=started)
        yield
        self._channel.send("phase_ended", name=name, at=time.monotonic())
        self._phases.append({"phase": name, "seconds": round(time.monotonic() - started, 3)})
        self.series(phases=self._phases)

    def ready(self) -> None:
        """Report that a user's programs may be ordered."""
        self._channel.send("ready")

    def progress(self, done: int, total: int) -> None:
        """Report the progress of the current phase. Most calls cost nothing."""
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_S or done == total:
            self._told_at = now
            self._channel.send("progress", done=done, total=total, at=now)

    def check(self, **check: Any) -> None:
        """Report a check: its key and claim, what was expected and observed, whether it holds, and the source."""
        self._channel.send("check", check=check, at=time.monotonic())

    def environment(self, **facts: str) -> None:
        """Add facts to the description of the machine and the programs."""
        self._channel.send("environment", environment=facts)

    def outcomes(self, counts: dict[str, int]) -> None:
        """Report the number of attempts by outcome."""
        self._channel.send("outcomes", outcomes=dict(counts))

    def counters(self, counters: dict[str, int | None]) -> None:
        """Report the gateway's counters, the second witness."""
        self._channel.send("counters", counters=counters)

    def series(self, **series: Any) -> None:
        """Report measurements, as rows by the name of the series."""
        self._channel.send("series", series=series)

    def machine(self, **measured: Any) -> None:
        """Report what was measured of the machine."""
        self._channel.send("machine", machine=measured)

    def story(self, text: str) -> None:
        """Report the story: what happened, in words."""
        self._channel.send("story", text=text)
