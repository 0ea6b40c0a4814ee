"""The scenario's side of raw flows: a worker that is both ends of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import ANSWER_WITHIN_S, WORST_RATE_S, TrafficError, Worker
from testbed.traffic.frames import Kind
from testbed.traffic.generator import Plan

PATIENCE_S = 1.0
WINDOW = 256
"""Frames under way at once: half of the packets that a switch queues for a busy controller."""

OPENS = {"udp": Kind.DATAGRAM, "tcp": Kind.SYN}
ANSWERS = {"udp": Kind.DATAGRAM, "tcp": Kind.SYN_ACK}


class RawTraffic:
    """Raw flows by their numbers, from 0. Each can be opened, answered and ended."""

    def __init__(self, supervisor: Supervisor, folder: Path, plan: Plan) -> None:
        self.plan = plan
        self._worker = Worker(
            supervisor, f"{plan.protocol}-generator", "generator", folder, plan.model_dump_json()
        )
        self._worker.read()

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._worker.process.pid

    def inside(self, number: int) -> tuple[str, int]:
        """Return the inside endpoint of a flow."""
        return self.plan.clients[self.plan.client(number)].address, self.plan.source_port(number)

    def open(self, first: int, count: int, *, window: int = WINDOW, rate: float | None = None) -> dict[str, Any]:
        """Send the first frame of each of these flows, and return how many arrived outside, and how fast."""
        return self.out(OPENS[self.plan.protocol], first, count, window=window, rate=rate)

    def answer(self, first: int, count: int, *, window: int = WINDOW, rate: float | None = None) -> dict[str, Any]:
        """Answer these flows from outside, and return how many answers reached the host and port of their flow."""
        return self.back(ANSWERS[self.plan.protocol], first, count, window=window, rate=rate)

    def out(self, kind: Kind, first: int, count: int, *, window: int = WINDOW, **how: Any) -> dict[str, Any]:
        """Send a frame of each of these flows from inside."""
        return self._fly("out", kind, first, count, window, how)

    def back(self, kind: Kind, first: int, count: int, *, window: int = WINDOW, **how: Any) -> dict[str, Any]:
        """Send a frame of each of these flows from outside."""
        return self._fly("back", kind, first, count, window, how)

    def flood(self, count: int, *, frames: int, window: int, payload: int) -> dict[str, Any]:
        """Send datagrams over the first `count` flows in turn, and return how many arrived, and how fast."""
        order = {"do": "flood", "count": count, "frames": frames, "window": window}
        landed: dict[str, Any] = self._ask({**order, "payload": payload}, frames / WORST_RATE_S)
        return landed

    def dropped(self) -> int:
        """Return the number of frames that arrived but found no room in the worker: they are missed, not lost."""
        dropped: int = self._ask({"do": "dropped"}, 0.0)
        return dropped

    def _fly(
        self, way: str, kind: Kind, first: int, count: int, window: int, how: dict[str, Any]
    ) -> dict[str, Any]:
        order = {"do": way, "kind": kind.value, "first": first, "count": count, "window": window}
        landed: dict[str, Any] = self._ask(
            {"patience": PATIENCE_S, **order, **how}, count / WORST_RATE_S + PATIENCE_S * (1 + count / window)
        )
        return landed

    def _ask(self, order: dict[str, Any], within: float) -> Any:
        deadline = time.monotonic() + patient(within + ANSWER_WITHIN_S)
        self._worker.order(**order)
        while time.monotonic() < deadline:
            for record in self._worker.read():
                if "answer" in record:
                    return record["answer"]
        raise TrafficError(f"the raw frames were not all sent within {within:.0f} s")
