"""What a gateway's ports were at an instant, from the events up to then.

Where the NAT lets mappings share an external port, toward different destinations, one port has several at once. So
a port counts its mappings, and how many of them are closing. Sums over all ports are the NAT's own gauges.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from testbed.recording.format import Event, Kind, Refusal, Text, Texts


class Phase(enum.StrEnum):
    """The state of a port. A port of which nothing is known is free."""

    IN_USE = "in use"
    CLOSING = "closing"
    RESTING = "resting"
    HELD_DOWN = "held down"


@dataclass(slots=True)
class Port:
    """A port that is not free. `subscriber` is the one that has it or had it last, and `since` is from when."""

    subscriber: str = ""
    since: float = 0.0
    mappings: int = 0
    closing: int = 0
    resting: int = 0
    held_down: int = 0

    @property
    def phase(self) -> Phase:
        """The state that counts: a port that any mapping uses is in use."""
        if self.mappings:
            return Phase.CLOSING if self.closing >= self.mappings else Phase.IN_USE
        return Phase.RESTING if self.resting else Phase.HELD_DOWN

    @property
    def is_free(self) -> bool:
        """Whether nothing keeps it."""
        return not (self.mappings or self.resting or self.held_down)


Pool = tuple[str, str, str]
"""The ports of one protocol at one address: gateway, external address, protocol."""


@dataclass(slots=True)
class State:
    """All that a recording says of one instant. `ports` has each port that is not free, by its pool and number."""

    time: float = 0.0
    ports: dict[Pool, dict[int, Port]] = field(default_factory=dict)
    subscribers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The number of mappings, by gateway and subscriber."""
    refusals: Counter[tuple[str, Refusal]] = field(default_factory=Counter)
    """The packets that were refused so far, by gateway and limit."""
    attempts: Counter[str] = field(default_factory=Counter)
    """The attempts whose clients know what became of them, by outcome."""
    held: Counter[str] = field(default_factory=Counter)
    """The packets that were held so far, by gateway."""
    missed: Counter[str] = field(default_factory=Counter)
    """The events that are not in the recording, by gateway."""
    created: Counter[str] = field(default_factory=Counter)
    """The mappings that were made so far, by gateway."""
    gauges: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The newest gauges that a gateway has reported itself, by gateway."""
    phase: str = ""
    """What the scenario is doing."""
    checks: list[dict[str, Any]] = field(default_factory=list)
    """The checks so far."""

    def apply(self, record: Event | Text) -> None:
        """Take note of the next event or text. One that does not fit to what is known changes nothing."""
        self.time = max(self.time, record.time)
        if isinstance(record, Text):
            self._read(record)
        elif record.kind is Kind.ATTEMPT:
            self.attempts[record.reason.name.lower() if record.reason is not None else "unknown"] += 1
        elif record.kind is Kind.REFUSED:
            limit = record.reason if isinstance(record.reason, Refusal) else Refusal.UNKNOWN
            self.refusals[record.gateway, limit] += 1
        elif record.kind is Kind.HELD:
            self.held[record.gateway] += 1
        elif record.kind is not Kind.TEXT:
            self._move(record)

    def counts(
        self, gateway: str | None = None, address: str | None = None, protocol: str | None = None
    ) -> Counter[Phase]:
        """Return the number of mappings or ports in each state, of all pools or of those that are named."""
        counts: Counter[Phase] = Counter(dict.fromkeys(Phase, 0))
        wanted = (gateway, address, protocol)
        for pool, ports in self.ports.items():
            if all(each is None or each == own for each, own in zip(wanted, pool, strict=True)):
                for port in ports.values():
                    counts[Phase.CLOSING] += port.closing
                    counts[Phase.IN_USE] += port.mappings - port.closing
                    counts[Phase.RESTING] += port.resting
                    counts[Phase.HELD_DOWN] += port.held_down
        return counts

    def allocated(self, gateway: str | None = None, protocol: str | None = None) -> int:
        """Return the number of mappings: RFC 8512's ports-allocated."""
        counts = self.counts(gateway, protocol=protocol)
        return counts[Phase.IN_USE] + counts[Phase.CLOSING]

    def _move(self, event: Event) -> None:
        pool = (event.gateway, event.address, event.protocol)
        ports = self.ports.setdefault(pool, {})
        if event.kind is Kind.ALLOCATED:
            port = ports.setdefault(event.port, Port())
            port.subscriber, port.since = event.subscriber, event.time
            port.mappings += 1
            self.subscribers[event.gateway, event.subscriber] += 1
            self.created[event.gateway] += 1
            return
        known = ports.get(event.port)
        if known is not None:
            _turn(known, event)
            if event.kind is Kind.RELEASED:
                self._released(event.gateway, event.subscriber or known.subscriber)
            if known.is_free:
                del ports[event.port]

    def _released(self, gateway: str, subscriber: str) -> None:
        self.subscribers[gateway, subscriber] -= 1
        if self.subscribers[gateway, subscriber] <= 0:
            del self.subscribers[gateway, subscriber]

    def _read(self, text: Text) -> None:
        content = text.content
        match text.kind:
            case Texts.PHASE:
                self.phase = "" if content.get("end") else str(content.get("name", ""))
            case Texts.CHECK:
                self.checks.append(content.get("check", {}))
            case Texts.GAUGES:
                self.gauges[str(content.get("gateway", ""))] = content.get("gauges", {})
            case Texts.MISSED:
                number = content.get("events", 0)
                self.missed[str(content.get("gateway", ""))] += number if isinstance(number, int) else 0


def _turn(port: Port, event: Event) -> None:
    """Change a port by an event that is about what it has by now."""
    match event.kind:
        case Kind.CLOSING if port.closing < port.mappings:
            port.closing += 1
            port.since = event.time
        case Kind.REOPENED if port.closing:
            port.closing -= 1
            port.since = event.time
        case Kind.RELEASED if port.mappings:
            port.mappings -= 1
            port.closing = min(port.closing, port.mappings)
            port.resting += 1
            port.since = event.time
        case Kind.HELD_DOWN if port.resting:
            port.resting -= 1
            port.held_down += 1
            port.since = event.time
        case Kind.FREED if port.held_down:
            port.held_down -= 1
        case Kind.FREED if port.resting:
            port.resting -= 1
