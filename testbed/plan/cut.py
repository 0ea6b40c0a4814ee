"""The first part of a trace that a machine carries, and the pace at which it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.nat.model import EndedBy, Protocol
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from testbed.plan.arrivals import Ending
from testbed.plan.chosen import Chosen
from testbed.plan.scaled import MOST_PER_S
from testbed.plan.shrunk import hosts_for, pace_for, quicker, require_on_the_wire, without_files
from testbed.plan.traces.record import Record

SLOWER = 1.25
"""The factor by which a pace is slowed down that is too quick."""
BRIEF_S = 30.0
"""A trace that is over in this time is quick enough."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `attempts` of a trace, and what is set for them."""

    attempts: int
    pace: float
    holding: float
    """The seconds of the lab for which each has its port, on average."""
    hosts: tuple[int, int]
    settings: dict[str, Any]


def cut(chosen: Chosen, records: Sequence[Record], seconds: float) -> Cut:
    """Return the part of a trace that is over after some seconds of a lab. Raises ConfigurationError."""
    require_on_the_wire(chosen)
    nat = without_files(chosen).nat()
    holding = sum(held(record, nat) for record in records) / len(records)
    lasts = max(records[-1].at - records[0].at, 1.0)
    pace = max(pace_for(nat, 0.0, holding), min(1.0, BRIEF_S / lasts))
    while pace < 1 and busiest(_until(records, seconds / pace), 1 / pace) > MOST_PER_S:
        pace = min(1.0, pace * SLOWER)
    part = _carried(_until(records, seconds / pace), 1 / pace)
    return Cut(
        attempts=len(part),
        pace=pace,
        holding=holding * pace,
        hosts=hosts_for(len({record.source.address for record in part})),
        settings=quicker(chosen.settings, pace),
    )


def held(record: Record, nat: NatSettings) -> float:
    """Return about how long an attempt has its port."""
    life = record.ends - record.at
    if record.protocol is Protocol.UDP:
        return life + nat.udp_timeout + nat.hold_down(Protocol.UDP, EndedBy.IDLE)
    timer, by = {
        Ending.FIN: (TcpTimer.CLOSING, EndedBy.FIN),
        Ending.RESET: (TcpTimer.RESET, EndedBy.RST),
        Ending.UNANSWERED: (TcpTimer.OPENING, EndedBy.IDLE),
    }.get(record.ending, (TcpTimer.ESTABLISHED, EndedBy.IDLE))
    return life + nat.tcp_timeouts[timer] + nat.hold_down(Protocol.TCP, by)


def busiest(records: Iterable[Record], window: float) -> int:
    """Return the most attempts within any time of this length."""
    most, recent = 0, deque[float]()
    for record in records:
        recent.append(record.at)
        while recent[0] <= record.at - window:
            recent.popleft()
        most = max(most, len(recent))
    return most


def _until(records: Sequence[Record], seconds: float) -> Sequence[Record]:
    first = records[0].at
    return [record for record in records if record.at - first <= seconds]


def _carried(records: Sequence[Record], window: float) -> Sequence[Record]:
    """Return the attempts until there are more within this time than a machine makes in a second."""
    for end in range(int(MOST_PER_S), len(records)):
        if records[end].at - records[end - int(MOST_PER_S)].at < window:
            return records[:end]
    return records
