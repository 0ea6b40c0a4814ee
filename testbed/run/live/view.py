"""What goes on in a run, as a picture and as lines: what `display` shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rich.text import Text

from testbed.run.live.screen import Size, frame, last_frame
from testbed.run.live.watched import Watched
from testbed.run.results import Result

LINE_EVERY_S = 5.0
"""Seconds after which there is a line though no phase has begun."""


class RunView:
    """One run. With `place`, such as "3 of 48", it is one of several."""

    def __init__(
        self,
        title: str,
        *,
        place: str = "",
        ports: Mapping[str, int] | None = None,
        shared: Collection[str] = (),
    ) -> None:
        self._run = Watched(title, place=place, ports=ports, shared=shared)
        self._told = 0
        self._next = 0.0
        self._has_begun = self._is_over = False

    def take(self, record: dict[str, Any], now: float) -> None:
        """Take a record from the sandbox."""
        self._run.since(now)
        self._run.take(record, now)

    def end(self, result: Result, now: float) -> None:
        """Take the result."""
        self._run.end(result.verdict, now)

    def frame(self, size: Size, now: float) -> list[Text]:
        """Return the picture of the run as it is now."""
        return frame(self._run, size, now)

    def last_frame(self, size: Size, now: float) -> list[Text]:
        """Return the picture that stays when the run is over."""
        return last_frame(self._run, size, now)

    def news(self, now: float) -> Iterator[str]:
        """Yield a line for the run, for each phase, for each few seconds in between, and for the verdict."""
        run, age = self._run, self._run.since(now)
        if not self._has_begun:
            self._has_begun, self._next = True, LINE_EVERY_S
            yield f"{run.place}  {run.title}".strip()
        untold = min(run.begun - self._told, len(run.phases))
        self._told = run.begun
        for phase in run.phases[len(run.phases) - untold :]:
            self._next = age + LINE_EVERY_S
            yield _line(phase.began - (run.began or 0.0), phase.name)
        if run.verdict:
            if not self._is_over:
                self._is_over = True
                yield _line(age, self._verdict())
        elif age >= self._next:
            self._next = age + LINE_EVERY_S
            yield _line(age, self._summary())

    def _verdict(self) -> str:
        failed = self._run.failed
        return f"verdict: {self._run.verdict}" + f", {failed} checks failed" * bool(failed)

    def _summary(self) -> str:
        """Return in a line what the picture has."""
        parts = [phase.name for phase in self._run.phases[-1:]]
        parts += [f"{phase.done:,} of {phase.total:,}" for phase in self._run.phases[-1:] if phase.total]
        parts += [
            f"{gateway} {each.address} has {each.allocated:,} {each.protocol} ports in use".strip()
            + ("" if each.free is None else f" and {each.free:,} free")
            for gateway, each in list(self._run.ports)[:MOST_POOLS]
        ]
        refused = sum(sum(nat.refusals.values()) for nat in self._run.nats.values() if nat.refusals)
        parts += [f"{refused:,} packets refused"] if refused else []
        return "; ".join(parts) or "begins"


MOST_POOLS = 2
"""Pools of ports that a line names at most."""


def _line(at: float, text: str) -> str:
    return f"{at:6.1f} s  {text}"
