"""One direction of a link, as a rule: when does a frame arrive that is sent now, if it does?

Nothing here knows sockets or the time. Every draw comes from a generator with a seed, in the order of the frames.
So the same frames meet the same fate each time.
"""

from __future__ import annotations

import random

from topologies.network.conditions import Conditions


class Line:
    """One direction of a link. It counts what it is given, what it loses, and what finds no room."""

    def __init__(self, conditions: Conditions, seed: str) -> None:
        self._is = conditions
        self._room = conditions.room
        self._random = random.Random(seed).random
        self._free_at = self._last = 0.0
        self.frames = self.lost = self.overflowed = self.waiting = 0

    def due(self, size: int, now: float) -> float | None:
        """Return when a frame of `size` bytes arrives that is sent `now`, or None if it never does.

        The frame is under way until the caller takes one from `waiting`.
        """
        self.frames += 1
        if self._random() < self._is.loss:
            self.lost += 1
            return None
        if self.waiting >= self._room:
            self.overflowed += 1
            return None
        self.waiting += 1
        sent = now
        if self._is.rate is not None:
            sent = self._free_at = max(now, self._free_at) + size * 8 / self._is.rate
        if self._is.reordering and self._random() < self._is.reordering:
            return sent
        due = sent + self._is.delay
        if self._is.jitter:
            due = max(sent, due + self._is.jitter * (2 * self._random() - 1))
        if self._is.rate is not None:  # what waits in one queue keeps its order
            due = self._last = max(due, self._last)
        return due
