"""Frames under way in one direction, each of which is known again where it arrives, or known to be lost.

The load is closed: only so many frames are under way at once, so that no queue overflows, and the time from the
first frame's leaving to the last one's arrival gives the rate at which nothing is lost. A `rate` opens it: then
frames leave by the clock, whatever has become of the others.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.traffic.bulk import Outgoing

PAUSE_S = 0.0003
"""How long to sleep when nothing has come: the processors are needed by who is measured."""
TELL_EVERY_S = 0.5

Arrival = tuple[float, int]
"""When a frame arrived, and the position that it has in the flight; -1 if it is none of the flight's."""
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a flight: how many arrived, and how long it took from the first frame to the last arrival."""

    sent: int
    arrived: int
    seconds: float
    latencies: list[float]

    def summary(self) -> dict[str, float]:
        """Return it as it is told: with percentiles of the latency in milliseconds."""
        ordered = sorted(self.latencies)
        percentiles = {
            f"p{share}_ms": round(ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] * 1e3, 3)
            for share in (50, 90, 99, 100)
            if ordered
        }
        return {"sent": self.sent, "arrived": self.arrived, "seconds": self.seconds, **percentiles}


class Flight:
    """Frames to be sent in their order, each of which arrives, or is given up."""

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
        """Send all; a frame that has been silent for `patience` seconds is given up, and leaves the window."""
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
        """Pass by what has arrived, and give up what is too old."""
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
"""Source address, ports, and the sequence number."""
ARRIVAL_NUMBER = struct.Struct("!26x4s4xHH4xI")
"""Source address, ports, and the number behind the next four bytes: in UDP's payload, or acknowledged by TCP."""
