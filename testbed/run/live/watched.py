"""A run as it is known from its records so far: phases, ports, figures, and what happened.

It asks for no time: `now` is an argument, in seconds. Texts come from a scenario that anybody may have written.
"""

from __future__ import annotations

import base64
import struct
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.recording import PROTOCOLS, Kind
from testbed.run.live.words import REFUSALS, Events
from testbed.run.naming import printable
from topologies.gateways.gauges import Gauges, PortGauge

COUNTED = struct.Struct("<4xBBHH2x")
"""What of an event is counted: kind, detail, index of its address, and port (`controller/recording.py`)."""
RATE_OVER_S = 1.0
"""Seconds over which a rate is taken."""
MOST_PHASES = 1000
"""The phases that are kept: the newest."""


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


class _Pool:
    """The ports of one pool that are not free, by events. One that does not fit to what is known changes nothing.

    Several mappings may share a port, which is in use while it has any, and rests while none but a rest keeps it.
    """

    def __init__(self) -> None:
        self.ports = [0, 0, 0]
        """The number of ports in use, resting and held down."""
        self._kept: dict[int, list[int]] = {}
        """Of each port that is not free: how often it is allocated, rests and is held down."""

    def take(self, kind: int, port: int) -> None:
        """Take an event."""
        turn = _TURNS.get(kind)
        if turn is None:
            return
        sources, target = turn
        kept = self._kept.get(port)
        if kept is None:
            if sources:
                return
            kept = self._kept[port] = [0, 0, 0]
        before = _state(kept)
        source = next((each for each in sources if kept[each]), None)
        if source is not None:
            kept[source] -= 1
        elif sources:
            return
        if target is not None:
            kept[target] += 1
        after = _state(kept)
        if before != after:
            if before is not None:
                self.ports[before] -= 1
            if after is None:
                del self._kept[port]
            else:
                self.ports[after] += 1


_IN_USE, _RESTING, _HELD_DOWN = range(3)
_TURNS: dict[int, tuple[tuple[int, ...], int | None]] = {
    Kind.ALLOCATED: ((), _IN_USE),
    Kind.RELEASED: ((_IN_USE,), _RESTING),
    Kind.HELD_DOWN: ((_RESTING,), _HELD_DOWN),
    Kind.FREED: ((_HELD_DOWN, _RESTING), None),
}
"""What an event does to a port: the states of which it leaves the first that there is, and the one it enters."""


def _state(kept: list[int]) -> int | None:
    allocated, resting, held_down = kept
    return _IN_USE if allocated else _RESTING if resting else _HELD_DOWN if held_down else None


class Nat:
    """One NAT, as its gauges and its events show it. `capacity` is the number of ports of each address.

    Ports are as its gauges have them, or else as its events are counted. What neither has is not known. Where
    mappings may share a port (`is_shared`), events go first, since gauges count it once for each of them.
    """

    def __init__(self, capacity: int | None, *, is_shared: bool = False) -> None:
        self.gauges = Gauges()
        self.addresses: dict[int, str] = {}
        self.is_counted = False
        """Whether its ports are counted by its events."""
        self._capacity, self._is_shared = capacity, is_shared
        self._pools: dict[tuple[str, str], _Pool] = defaultdict(_Pool)
        self._used: dict[tuple[str, str], None] = {}
        self._created: int | None = None
        self._made: deque[tuple[float, int]] = deque()

    def know(self, kinds: Collection[str]) -> None:
        """Take the kinds of events that will come."""
        if Kind.ALLOCATED.name in kinds:
            self._created, self.is_counted = 0, True

    def count(self, packed: bytes) -> None:
        """Take events, as a recording has them."""
        for kind, detail, place, port in COUNTED.iter_unpack(packed):
            address = self.addresses.get(place)
            if address is not None and detail & 15 < len(PROTOCOLS):
                self._pools[address, PROTOCOLS[detail & 15]].take(kind, port)
            if kind == Kind.ALLOCATED and self._created is not None:
                self._created += 1

    def take(self, gauges: Gauges, now: float) -> Gauges:
        """Take new gauges, and return what they and the events have by now."""
        self.is_counted = self._created is not None and (self._is_shared or not gauges.ports)
        if self.is_counted:
            gauges = replace(gauges, ports=list(self._counted()))
        self.gauges = gauges
        for each in gauges.ports:
            if each.allocated or each.resting or each.held_down:
                self._used[each.address, each.protocol] = None
        made = gauges.counters.get("port_mapping_creations")
        self._rate(self._created if made is None else made, now)
        return gauges

    def _rate(self, made: int | None, now: float) -> None:
        if made is None:
            return
        if self._made and made < self._made[-1][1]:
            self._made.clear()  # it began anew
        self._made.append((now, made))
        while len(self._made) > 2 and now - self._made[1][0] >= RATE_OVER_S:
            self._made.popleft()

    def _counted(self) -> Iterator[PortGauge]:
        pools = dict.fromkeys([*((address, "tcp") for address in self.addresses.values()), *self._pools])
        for pool in pools:
            in_use, resting, held_down = found = self._pools[pool].ports
            free = None if self._capacity is None else max(0, self._capacity - sum(found))
            yield PortGauge(*pool, in_use, free, resting, held_down)

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
    """A run, from its first record on. With `place`, it is one of several.

    `ports` are the ports of each external address, by the names of the NATs; `shared` are the NATs whose mappings
    may share a port.
    """

    def __init__(
        self,
        title: str,
        *,
        place: str = "",
        ports: Mapping[str, int] | None = None,
        shared: Collection[str] = (),
    ) -> None:
        self.title = printable(title)
        self.place = place
        self._ports, self._shared = ports or {}, shared
        self.began: float | None = None
        self.phases: list[Phase] = []
        self.begun = 0
        """The number of phases that have begun, also of those that are not kept any more."""
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
                self.begun += 1
                del self.phases[:-MOST_PHASES]
            case {"kind": "progress", "done": int(done), "total": int(total)} if self.phases:
                self.phases[-1].done, self.phases[-1].total = done, total
            case {"kind": "recording", "gateways": dict(gateways)}:
                for name, known in gateways.items():
                    self._nat(name).know(known["knows"])
            case {"kind": "table", "addresses": list(rows)}:
                for index, name, address in rows:
                    self._nat(name).addresses[index] = printable(address)
            case {"kind": "events", "gateway": str(name), "data": str(data)}:
                nat = self._nat(name)
                nat.count(base64.b64decode(data))
                if nat.is_counted:
                    self._take_gauges(name, Gauges((), nat.gauges.counters), now)
            case {"kind": "watched", "gateway": str(name)}:
                self._take_gauges(name, Gauges.of(record), now)
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

    def _nat(self, name: str) -> Nat:
        """Return what is known of a NAT."""
        return self.nats.setdefault(printable(name), Nat(self._ports.get(name), is_shared=name in self._shared))

    def _take_gauges(self, name: str, gauges: Gauges, now: float) -> None:
        nat = self._nat(name)
        gauges = replace(gauges, ports=[each.named(printable) for each in gauges.ports])
        before = nat.gauges
        of = printable(name) if len(self.nats) > 1 else ""
        self.events.compare(self.since(now), before, nat.take(gauges, now), of=of)
