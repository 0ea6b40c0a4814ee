"""What a NAT can tell of itself at any moment and at almost no cost: its ports by their state, and its counters.

Gauges are for the eyes. No check reads them: a check asks for `counters`, which may take a while and are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple


class PortGauge(NamedTuple):
    """The number of ports of one protocol at one external address, by their state. None is not known."""

    address: str
    protocol: str
    allocated: int
    free: int | None = None
    resting: int | None = None
    held_down: int | None = None

    def named(self, name: Callable[[str], str]) -> PortGauge:
        """Return the same with other names."""
        return self._replace(address=name(self.address), protocol=name(self.protocol))


@dataclass(frozen=True, slots=True)
class Gauges:
    """The gauges of one NAT. A port gauge or a counter that is not there, or is None, is not known.

    The counters have RFC 8512's names, and are sums over all protocols.
    """

    ports: Sequence[PortGauge] = ()
    counters: Mapping[str, int | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what a record has of them: a row for each port gauge, and the counters."""
        ports, counters = astuple(self)
        return {"ports": ports, "counters": counters}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Gauges:
        """Return what a record has, which may be from a stranger's code. Raises TypeError or KeyError."""
        return cls([PortGauge(*row) for row in record["ports"]], dict(record["counters"]))


def summed(*tables: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the sum of each counter over several protocols. One that a table does not know is not known."""
    names = dict.fromkeys(name for table in tables for name in table)
    values = {name: [table.get(name) for table in tables] for name in names}
    return {name: None if None in each else sum(filter(None, each)) for name, each in values.items()}
