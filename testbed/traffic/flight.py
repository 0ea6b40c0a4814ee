"""Frames under way in one direction, each of which is recognised where it arrives, or counted as lost.

The load is closed: at most `window` frames are under way at once, so that no queue overflows. The time from the
first frame's departure to the last one's arrival gives the rate at which nothing is lost. With a `rate` the load
is open: frames leave by the clock, whatever has become of the others.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.traffic.bulk import Outgoing

PAUSE_S = 0.0003
"""Seconds to sleep when nothing has come, since what is measured needs the processors."""
TELL_EVERY_S = 0.5

Arrival = tuple[float, int]
"""The time when a frame arrived, and its position in the flight, or -1 if it is not of the flight."""
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a flight. `seconds` go from the first frame's departure to the last arrival."""

    sent: int
    arrived: int
    seconds: float
    latencies: list[float]

    def summary(self) -> dict[str, float]:
        """Return the figures for a report, with percentiles of the latency in milliseconds."""
        ordered = sorted(self.latencies)
        percentiles = {
            f"p{share}_ms": round(ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] * 1e3, 3)
            for share in (50, 90, 99, 100)
            if ordered
        }
        return {"sent": self.sent, "arrived": self.arrived, "seconds": self.seconds, **percentiles}


class Flight:
    """Frames that are sent in their order. Each arrives, or is given up."""

    def __init__(
        self,
        outgoing: Outgoing,
        send: Callable[[Outgoing, int, int], int],
        arrivals: Callable[[], Sequence[Arrival]],
        progress: Progress,
    ) -> None:
        self._outgoing = outgoing
        self._send = send
        self._arrivals = arrivals
        self._progress = progress
        self._sent_at = [0.0] * len(outgoing)
        self._arrived_at = [0.0] * len(outgoing)
        self._given_up = bytearray(len(outgoing))
        self._next = self._oldest = self._under_way = 0

    def fly(self, *, window: int, patience: float, rate: float | None = None) -> Landing:
        """Send all frames. One that has not arrived after `patience` seconds is given up, and leaves the window.

        `rate` is in frames a second. Without it, only the window holds frames back.
        """
        total, started, tell_at = len(self._outgoing), time.time(), 0.0
        while self._oldest < total:
            now = time.time()
            self._depart(min(total, int((now - started) * rate) + 1) if rate else total, window, now)
            if not self._take():
                time.sleep(PAUSE_S)
            self._age(time.time() - patience)
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._progress(self._oldest)
        return self._landing()

    def _depart(self, until: int, window: int, now: float) -> None:
        while self._next < until and self._under_way < window:
            sent = self._send(self._outgoing, self._next, min(window - self._under_way, until - self._next))
            self._sent_at[self._next : self._next + sent] = [now] * sent
            self._next += sent
            self._under_way += sent

    def _take(self) -> bool:
        arrived = self._arrivals()
        for at, position in arrived:
            if position >= 0 and not self._arrived_at[position]:
                self._arrived_at[position] = at
                self._under_way -= not self._given_up[position]
        return bool(arrived)

    def _age(self, before: float) -> None:
        """Pass over the frames that have arrived, and give up those that were sent before the time `before`."""
        while self._oldest < self._next:
            if not self._arrived_at[self._oldest]:
                if self._sent_at[self._oldest] > before:
                    return
                self._given_up[self._oldest] = True
                self._under_way -= 1
            self._oldest += 1

    def _landing(self) -> Landing:
        pairs = [(sent, at) for sent, at in zip(self._sent_at, self._arrived_at, strict=True) if at]
        latencies = [max(0.0, at - sent) for sent, at in pairs]
        seconds = max((at for _, at in pairs), default=self._sent_at[0]) - self._sent_at[0]
        return Landing(len(self._outgoing), len(pairs), seconds, latencies)


ARRIVAL_TCP_SEQUENCE = struct.Struct("!26x4s4xHHI")
"""Fields of a frame: source address, ports, and TCP's sequence number."""
ARRIVAL_NUMBER = struct.Struct("!26x4s4xHH4xI")
"""Fields of a frame: source address, ports, and the number in UDP's payload, or the one that TCP acknowledges."""
