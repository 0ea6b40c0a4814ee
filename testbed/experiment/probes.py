"""Probes of a known number over links, each way: what these do to frames, before anything else uses them.

A probe is a frame with an EtherType for local experiments (IEEE 802, 0x88B5), which no kernel here takes. It is
sent at one end of a cable and dies at the other, and only a packet socket there sees it. First come small ones,
far enough apart that none waits for another: they show delay and loss. A row of long ones shows the rate.
"""

from __future__ import annotations

import select
import statistics
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.evidence.sockets import close, listening, sending, taken
from topologies.network.conditions import Conditions

ETHERTYPE = 0x88B5
_HEAD = struct.Struct("!6s6sHI")
_EVERY_FRAME = [(0x06, 0, 0, 1 << 18)]
SMALL, LONG = 64, 1000
PROBES, FEWEST = 400, 20
"""The probes of all links of a side together, and the fewest of each link."""
APART_S, AT_MOST_S = 0.001, 1.0
"""Seconds between two probes of a link at least, and seconds that all of them may take on a slow link."""
ROW_S, LONGEST_ROW = 0.2, 250
GRACE_S = 0.3
"""Seconds for which a probe is waited for, beyond what the link takes: this machine may be busy."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a link, each a network namespace and an interface: the host's, and the other one."""

    host: tuple[str, str]
    other: tuple[str, str]


@dataclass(slots=True)
class _Lane:
    """One way of one link: its sockets, and the times at which each probe was sent and came."""

    sender: Any
    receiver: Any
    sent: list[float] = field(default_factory=list)
    came: list[tuple[int, float]] = field(default_factory=list)

    def send(self, size: int) -> None:
        number = len(self.sent)
        self.sent.append(time.time())
        self.sender.send(_HEAD.pack(b"\xff" * 6, b"\x02" + bytes(5), ETHERTYPE, number).ljust(size, b"\0"))

    def take(self) -> None:
        self.came += [(_HEAD.unpack_from(frame)[3], at) for at, _, frame in taken(self.receiver, _HEAD.size)]

    @property
    def waits(self) -> list[float]:
        """The seconds that each probe took that came."""
        return [at - self.sent[number] for number, at in self.came]

    @property
    def reordered(self) -> int:
        """The number of probes that came after a later one (RFC 4737 section 3.3)."""
        latest, found = -1, 0
        for number, _ in self.came:
            found += number < latest
            latest = max(latest, number)
        return found


def probed(links: Sequence[Ends], conditions: Conditions) -> dict[str, dict[str, Any]]:
    """Return the figures of these links, which are under the same conditions, for each way: `out` and `in`."""
    ways = {
        "out": [_lane(each.host, each.other) for each in links],
        "in": [_lane(each.other, each.host) for each in links],
    }
    lanes = [lane for way in ways.values() for lane in way]
    try:
        apart = max(APART_S, 2 * SMALL * 8 / conditions.rate if conditions.rate else 0.0)
        number = min(max(FEWEST, PROBES // len(links)), max(5, int(AT_MOST_S / apart)))
        for _ in range(number):
            for lane in lanes:
                lane.send(SMALL)
            _gather(lanes, apart, stop=lambda: False)
        _gather(lanes, conditions.longest + apart + GRACE_S, stop=lambda: _have_all(lanes))
        figures = {way: _figures(each) for way, each in ways.items()}
        if conditions.rate is not None:
            for way, rate in _rates(ways, conditions.rate, conditions.longest).items():
                figures[way]["rate_bit_s"] = rate
        return figures
    finally:
        close([each for lane in lanes for each in (lane.sender, lane.receiver)])


def _rates(ways: dict[str, list[_Lane]], rate: float, longest: float) -> dict[str, int | None]:
    """Return the bits a second at which the second half of a row of long probes came, for each way."""
    length = min(max(10, int(rate * ROW_S / (LONG * 8))), LONGEST_ROW)
    lanes = [lane for way in ways.values() for lane in way]
    for lane in lanes:
        lane.sent, lane.came = [], []
        for _ in range(length):
            lane.send(LONG)
    _gather(lanes, length * LONG * 8 / rate + longest + GRACE_S, stop=lambda: _have_all(lanes))
    rates: dict[str, int | None] = {}
    for way, each in ways.items():
        later = [sorted(at for _, at in lane.came)[len(lane.came) // 2 :] for lane in each]
        found = [(len(at) - 1) * LONG * 8 / (at[-1] - at[0]) for at in later if len(at) > 2 and at[-1] > at[0]]
        rates[way] = round(statistics.median(found)) if found else None
    return rates


def _figures(lanes: list[_Lane]) -> dict[str, Any]:
    waits = sorted(wait for lane in lanes for wait in lane.waits)
    sent = sum(len(lane.sent) for lane in lanes)
    figures: dict[str, Any] = {
        "sent": sent,
        "lost": sent - len(waits),
        "reordered": sum(lane.reordered for lane in lanes),
    }
    if waits:
        shares = {"delay_s": 0.5, "shortest_s": 0.05, "longest_s": 0.95}
        figures |= {name: round(waits[int(share * (len(waits) - 1))], 6) for name, share in shares.items()}
    return figures


def _have_all(lanes: list[_Lane]) -> bool:
    return all(len(lane.came) == len(lane.sent) for lane in lanes)


def _gather(lanes: list[_Lane], seconds: float, *, stop: Any) -> None:
    """Take probes that come, for a time, or until `stop` returns true."""
    by_descriptor = {lane.receiver.fileno(): lane for lane in lanes}
    poll, until = select.epoll(), time.monotonic() + seconds
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    with poll:
        while not stop() and (left := until - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                by_descriptor[descriptor].take()


def _lane(source: tuple[str, str], target: tuple[str, str]) -> _Lane:
    return _Lane(sending(*source), listening(*target, _EVERY_FRAME, ETHERTYPE))
