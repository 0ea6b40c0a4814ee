"""A run as it is known from its records so far: phases, ports, figures, and what happened.

It asks for no time: `now` is an argument, in seconds. Texts come from a scenario that anybody may have written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from testbed.run.live.words import REFUSALS, Events
from testbed.run.naming import printable
from topologies.gateways.gauges import Gauges, PortGauge

RATE_OVER_S = 1.0
"""Seconds over which a rate is taken."""


@dataclass(slots=True)
class Phase:
    """A phase of a run. `total` is 0 unless its progress is counted."""

    name: str
    began: float
    ended: float | None = None
    done: int = 0
    total: int = 0

    def seconds(self, now: float) -> float:
        """Return for how long it has lasted."""
        return (now if self.ended is None else self.ended) - self.began


class Nat:
    """One NAT as its gauges show it. What its gauges have never had is not known."""

    def __init__(self) -> None:
        self.gauges = Gauges()
        self._used: dict[tuple[str, str], None] = {}
        self._made: deque[tuple[float, int]] = deque()

    def take(self, gauges: Gauges, now: float) -> None:
        """Take new gauges."""
        self.gauges = gauges
        for each in gauges.ports:
            if each.allocated or each.resting or each.held_down:
                self._used[each.address, each.protocol] = None
        made = gauges.counters.get("port_mapping_creations")
        if made is None:
            return
        if self._made and made < self._made[-1][1]:
            self._made.clear()  # it began anew
        self._made.append((now, made))
        while len(self._made) > 2 and now - self._made[1][0] >= RATE_OVER_S:
            self._made.popleft()

    @property
    def ports(self) -> list[PortGauge]:
        """The ports of each address and protocol that has been used; if none has, those of TCP."""
        used = [each for each in self.gauges.ports if (each.address, each.protocol) in self._used]
        return used or [each for each in self.gauges.ports if each.protocol == "tcp"]

    @property
    def rate(self) -> float | None:
        """The new mappings in a second, lately; None if it is not known."""
        if not self._made:
            return None
        (began, first), (ended, last) = self._made[0], self._made[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    @property
    def refusals(self) -> dict[str, int] | None:
        """The packets refused so far by a short name of the limit; None if it is not known."""
        known = {short: self.gauges.counters.get(name) for name, (short, _) in REFUSALS.items()}
        if all(number is None for number in known.values()):
            return None
        return {short: number for short, number in known.items() if number}


class Watched:
    """A run, from its first record on. With `place`, it is one of several."""

    def __init__(self, title: str, *, place: str = "") -> None:
        self.title = printable(title)
        self.place = place
        self.began: float | None = None
        self.phases: list[Phase] = []
        self.nats: dict[str, Nat] = {}
        self.events = Events()
        self.failed = 0
        self.verdict = ""

    def take(self, record: dict[str, Any], now: float) -> None:
        """Take a record from the sandbox. One that is of no interest changes nothing."""
        match record:
            case {"kind": "phase", "name": str(name)}:
                self._end_phase(now)
                self.phases.append(Phase(printable(name), now))
            case {"kind": "progress", "done": int(done), "total": int(total)} if self.phases:
                self.phases[-1].done, self.phases[-1].total = done, total
            case {"kind": "watched", "gateway": str(name)}:
                self._take_gauges(printable(name), Gauges.of(record), now)
            case {"kind": "check", "check": {"claim": str(claim), "ok": bool(ok)}}:
                self.failed += not ok
                self.events.add(self.since(now), "", f"{'holds' if ok else 'FAILED'}: {printable(claim)}")
            case {"kind": "outcomes", "outcomes": dict(counts)}:
                found = ", ".join(f"{number:,} {printable(name)}" for name, number in counts.items() if number)
                self.events.add(self.since(now), "", f"Attempts: {found or 'none'}.")

    def end(self, verdict: str, now: float) -> None:
        """Take the verdict, after which there are no more records."""
        self._end_phase(now)
        self.verdict = verdict

    def since(self, now: float) -> float:
        """Return the seconds since the beginning, which is the first call."""
        if self.began is None:
            self.began = now
        return now - self.began

    @property
    def ports(self) -> Iterator[tuple[str, PortGauge]]:
        """Yield the ports of each NAT, with its name if there are several."""
        for name, nat in self.nats.items():
            for each in nat.ports:
                yield name if len(self.nats) > 1 else "", each

    def _end_phase(self, now: float) -> None:
        if self.phases and self.phases[-1].ended is None:
            self.phases[-1].ended = now

    def _take_gauges(self, name: str, gauges: Gauges, now: float) -> None:
        nat = self.nats.setdefault(name, Nat())
        gauges = replace(gauges, ports=[each.named(printable) for each in gauges.ports])
        self.events.compare(self.since(now), nat.gauges, gauges, of=name if len(self.nats) > 1 else "")
        nat.take(gauges, now)
