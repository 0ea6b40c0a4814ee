"""A flight of frames: its window, and what becomes of frames that are lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from testbed.traffic.bulk import Outgoing
from testbed.traffic.flight import Arrival, Flight


class Wire:
    """A wire in memory that delivers in the next round, but for the frames that it loses."""

    def __init__(self, loses: set[int]) -> None:
        self._loses = loses
        self._under_way: list[int] = []
        self.most_under_way = 0

    def send(self, _frames: Outgoing, position: int, most: int) -> int:
        """Take up to three frames."""
        taken = range(position, position + min(most, 3))
        self._under_way += [each for each in taken if each not in self._loses]
        self.most_under_way = max(self.most_under_way, len(self._under_way))
        return len(taken)

    def arrivals(self) -> list[Arrival]:
        """Deliver all, each twice."""
        arrived = [(time.time(), position) for position in self._under_way for _ in range(2)]
        self._under_way.clear()
        return arrived


def flown(wire: Wire, count: int, window: int) -> Iterator[float]:
    """Fly `count` frames, and yield how many were sent and arrived."""
    frames = Outgoing([bytes(60)] * count)
    landing = Flight(frames, wire.send, wire.arrivals, lambda done: None).fly(window=window, patience=0.01)
    yield from (landing.sent, landing.arrived)


def test_no_more_frames_are_under_way_than_the_window_allows() -> None:
    """No queue overflows; a frame that comes twice counts once."""
    wire = Wire(loses=set())

    assert list(flown(wire, 100, window=8)) == [100, 100]
    assert wire.most_under_way == 8


def test_lost_frames_leave_the_window_and_are_counted() -> None:
    """A flight ends although as many frames are lost as the window has room for."""
    wire = Wire(loses={0, 1, 2, 3, 50, 99})

    assert list(flown(wire, 100, window=4)) == [100, 94]
