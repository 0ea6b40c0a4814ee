"""Who had an external address and port at a time, by a log of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from testbed.natlog.lines import Assignment, Entry, stamp


@dataclass(frozen=True, slots=True)
class Holder:
    """A subscriber that had a port: for one protocol or all, since when, and until when if that is known."""

    subscriber: str
    protocol: str
    ports: range
    since: datetime
    until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "subscriber": self.subscriber,
            "protocol": self.protocol,
            "ports": [self.ports[0], self.ports[-1]],
            "since": stamp(self.since),
            "until": stamp(self.until) if self.until else None,
        }


def holders(log: Iterable[Entry | Assignment], address: str, port: int, at: datetime) -> list[Holder]:
    """Return the subscriber that had a port at a time, for each protocol that the log has one for."""
    found: dict[str, Holder] = {}
    for entry in log:
        if isinstance(entry, Assignment):
            if entry.at <= at and (subscriber := entry.subscriber_of(address, port)) is not None:
                _, ports = entry.block_of(subscriber)
                found["any"] = Holder(subscriber, "any", ports, entry.at)
        elif entry.address == address and port in entry.ports:
            _follow(found, entry, at)
    return list(_at(found, at))


def _follow(found: dict[str, Holder], entry: Entry, at: datetime) -> None:
    """Take note of a line about the port. What begins after the time asked for is passed over."""
    holder = found.get(entry.protocol)
    if entry.begins:
        if entry.at <= at:
            found[entry.protocol] = Holder(entry.subscriber, entry.protocol, entry.ports, entry.at)
    elif holder is not None and holder.until is None and holder.subscriber == entry.subscriber:
        found[entry.protocol] = replace(holder, until=entry.at)


def _at(found: dict[str, Holder], at: datetime) -> Iterator[Holder]:
    return (each for each in found.values() if each.until is None or at < each.until)
