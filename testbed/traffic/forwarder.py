"""A program that is the cable of several links, where the kernel has no netem: frames pass through it, or do not.

    python -m testbed.traffic.forwarder ORDERS_FD SEED CONDITIONS LINKS

CONDITIONS has the fields of `Conditions`. LINKS has a row for each link: its name, and the descriptors of its two
ends: a packet socket at the host's `eth0`, and a TAP device, which is the interface that the host's kernel uses.
Both are JSON. A frame that comes at one end leaves at the other when it is due.

One process carries all links of a side. It takes the frames that are there in turns, some from each end. How late
it is itself is counted, since a link that is slower than it was set is no NAT's doing.
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import select
import sys
import time
from typing import NamedTuple

from testbed.traffic.line import Line
from testbed.traffic.wire import Orders
from topologies.network.conditions import Conditions

AT_ONCE = 32
"""The frames that are taken from one end before it is another's turn."""
MOST_BYTES = 65_536
OUT, BACK = "out", "in"


class End(NamedTuple):
    """Where frames come from: the line that they take, and the descriptor at which they leave."""

    line: Line
    leaves: int


class Forwarder:
    """The links, by the descriptors of their ends, and the frames under way, in the order of when they are due."""

    def __init__(
        self, orders: Orders, conditions: Conditions, links: list[tuple[str, int, int]], seed: str
    ) -> None:
        self._orders, self._lines = orders, iter(orders)
        self._ends: dict[int, End] = {}
        for name, wire, host in links:
            self._ends[host] = End(Line(conditions, f"{seed} {name} {OUT}"), wire)
            self._ends[wire] = End(Line(conditions, f"{seed} {name} {BACK}"), host)
        self._hosts = {host for _, _, host in links}
        self._under_way: list[tuple[float, int, End, bytes]] = []
        self._number = 0
        self._latest = 0.0
        self._poll = select.epoll()
        for descriptor in (orders.fileno(), *self._ends):
            os.set_blocking(descriptor, descriptor == orders.fileno())
            self._poll.register(descriptor, select.EPOLLIN)

    def run(self) -> None:
        """Carry frames until the orders end."""
        under_way, poll = self._under_way, self._poll
        while True:
            pause = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
            select.select([poll], [], [], pause)  # epoll itself waits for whole milliseconds
            for descriptor, _ in poll.poll(0):
                if end := self._ends.get(descriptor):
                    self._take(descriptor, end)
                elif not self._tell():
                    return
            self._let_go()

    def _take(self, descriptor: int, end: End) -> None:
        now = time.monotonic()
        for _ in range(AT_ONCE):
            try:
                frame = os.read(descriptor, MOST_BYTES)
            except OSError:  # there is none, or the interface is not up
                return
            due = end.line.due(len(frame), now)
            if due is None:
                continue
            if due <= now:
                _leave(end, frame)
            else:
                self._number += 1
                heapq.heappush(self._under_way, (due, self._number, end, frame))

    def _let_go(self) -> None:
        now, under_way = time.monotonic(), self._under_way
        while under_way and under_way[0][0] <= now:
            due, _, end, frame = heapq.heappop(under_way)
            self._latest = max(self._latest, now - due)
            _leave(end, frame)

    def _tell(self) -> bool:
        """Answer the order that is there, and return whether there was one. Counts begin anew."""
        if next(self._lines, None) is None:
            return False
        told = {way: dict.fromkeys(("frames", "lost", "overflowed"), 0) for way in (OUT, BACK)}
        for descriptor, (line, _) in self._ends.items():
            counts = told[OUT if descriptor in self._hosts else BACK]
            for name in counts:
                counts[name] += getattr(line, name)
                setattr(line, name, 0)
        self._orders.tell(**told, late_s=round(self._latest, 6))
        self._latest = 0.0
        return True


def _leave(end: End, frame: bytes) -> None:
    end.line.waiting -= 1
    try:
        os.write(end.leaves, frame)
    except OSError:  # a queue behind the link is full, or the interface is not up
        end.line.overflowed += 1


def main() -> None:
    """Carry frames until the orders end."""
    descriptor, seed, conditions, links = sys.argv[1:]
    orders = Orders(int(descriptor))
    forwarder = Forwarder(orders, Conditions(**json.loads(conditions)), json.loads(links), seed)
    gc.disable()  # nothing here refers to itself
    orders.tell(ready=True)
    forwarder.run()


if __name__ == "__main__":
    main()
