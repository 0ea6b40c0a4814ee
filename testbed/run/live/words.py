"""What happens in a NAT, in words: found by comparing its gauges with those before.

Equal things that happen in a row are one event, whose number grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from topologies.gateways.gauges import Gauges, PortGauge

REFUSALS = MappingProxyType(
    {
        "dropped_port_packets": ("no port", "no port was free"),
        "dropped_address_packets": ("no address", "no address had a free port"),
        "dropped_port_limit_packets": ("quota", "their senders were at their quotas"),
        "dropped_subscriber_limit_packets": ("subscribers", "there was no room for another subscriber"),
        "dropped_mapping_limit_packets": ("mappings", "there was no room for another mapping"),
        "dropped_state_limit_packets": ("sessions", "there was no room for another session"),
        "dropped_subscriber_port_packets": ("own ports", "all of their senders' own ports were in use"),
        "dropped_reservation_packets": ("reservation", "no ports could be reserved for their senders"),
        "dropped_destination_limit_packets": ("destination", "their destination had all of its sessions"),
        "dropped_rate_packets": ("rate", "their senders made mappings too fast"),
        "dropped_flow_table_packets": ("flow table", "the switch had no room for their rules"),
        "dropped_hold_packets": ("hold queue", "no more packets could be held"),
    }
)
"""The limits that refuse packets, by their counters: a short name, and why the packets were refused."""
OTHERS = MappingProxyType({"evicted_mappings": ("mapping", "evicted"), "held_packets": ("packet", "held")})
"""What else happens, by its counter: to what, and what."""
KEPT = 50
"""Events that are kept."""


@dataclass(slots=True)
class Event:
    """Something that happened from `at` on, in seconds. Equal events have the same `kind`."""

    at: float
    kind: str
    number: int
    text: str


class Events:
    """The last events, the newest last."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._kept)

    def add(self, at: float, kind: str, text: str, number: int = 0) -> None:
        """Add an event, or its number to the newest one of the same kind. `{}` stands for the number."""
        if number and self._kept and self._kept[-1].kind == kind:
            last = self._kept[-1]
            last.number += number
        else:
            last = Event(at, kind, number, "")
            self._kept.append(last)
        last.text = text.replace("{}", f"{last.number:,}", 1) if number else text

    def compare(self, at: float, before: Gauges, now: Gauges, *, of: str = "") -> None:
        """Add what happened between two gauges of a NAT, whose name is `of` if there are several."""
        where = f"{of}: " if of else ""
        was_full = {(each.address, each.protocol): is_full(each) for each in before.ports}
        for each in now.ports:
            if is_full(each) != was_full.get((each.address, each.protocol), False):
                has = "has a free port again" if not is_full(each) else "has no free port"
                self.add(at, "", f"{where}{each.address} {has} ({each.protocol}).")
        for name, (_, why) in REFUSALS.items():
            if more := _growth(name, before, now):
                text = f"{where}{{}} {_plural('packet', more)} refused: {why}."
                self.add(at, f"{of} {name}", text, more)
        for name, (what, happened) in OTHERS.items():
            if more := _growth(name, before, now):
                self.add(at, f"{of} {name}", f"{where}{{}} {_plural(what, more)} {happened}.", more)


def is_full(gauge: PortGauge) -> bool:
    """Return whether every port is known not to be free."""
    return gauge.free == 0


def _growth(name: str, before: Gauges, now: Gauges) -> int:
    """Return by how much a counter grew; it may have begun anew with another controller."""
    return max(0, (now.counters.get(name) or 0) - (before.counters.get(name) or 0))


def _plural(what: str, number: int) -> str:
    return f"{what} was" if number == 1 else f"{what}s were"
