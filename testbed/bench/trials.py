"""The trials of a bench while they are measured: one line for all of them, or a line for each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from testbed.run.live import bar
from testbed.run.live.screen import Size

LINE_EVERY_S = 15.0
"""Seconds after which there is a line though no trial has begun."""


class TrialsView:
    """All trials of a bench, one of which goes on."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._title = ""
        self._begun = self._told = self._done = 0
        self._since = self._next = 0.0

    def begin(self, title: str, now: float) -> None:
        """Take the title of the trial that begins."""
        self._title, self._done = title, self._begun
        self._begun += 1
        self._since = self._since or now

    def end(self, _now: float) -> None:
        """Take note that all are done."""
        self._done = self._begun

    def frame(self, size: Size, now: float) -> list[Text]:
        """Return a line about the trial, and a bar of all."""
        count = f" {self._done} of {self._total}, {now - (self._since or now):.0f} s"
        title = size.fit(Text(f"bench {self._name}: {self._title}"))
        drawn = bar.progress(self._done, self._total, size.columns - len(count), ascii_only=size.ascii_only)
        return [title, size.fit(drawn.append(count))]

    def last_frame(self, size: Size, now: float) -> list[Text]:
        """Return the line that stays."""
        return [size.fit(Text(f"bench {self._name}: {self._done} trials, {now - (self._since or now):.0f} s"))]

    def news(self, now: float) -> Iterator[str]:
        """Yield a line for the trial that has begun, and further ones while it goes on."""
        if self._begun > self._told:
            self._told, self._next = self._begun, now + LINE_EVERY_S
            yield f"bench {self._name}, {self._begun} of {self._total}: {self._title}"
        elif self._done < self._begun and now >= self._next:
            self._next = now + LINE_EVERY_S
            yield f"bench {self._name}, {self._begun} of {self._total}: {self._title} goes on"
