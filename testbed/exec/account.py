"""A short account of what programs have cost the NATs, from the recording of their run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.recording import Recording, RecordingError
from testbed.recording.format import Event, Kind, Refusal
from testbed.recording.words import REASONS_IN_WORDS

MOST_NAMED = 3
"""The most open mappings that are named one by one."""


@dataclass(slots=True)
class Account:
    """What one NAT gave and refused. None: that cannot be known of it."""

    mappings: int | None = 0
    most: int | None = 0
    refused: Counter[str] = field(default_factory=Counter)
    still_open: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for the results."""
        return {
            "mappings": self.mappings,
            "most_at_once": self.most,
            "refused": dict(self.refused),
            "still_open": self.still_open,
        }


def accounts(folder: Path) -> dict[str, Account]:
    """Return the account of each NAT, by its name; nothing, if there is no recording that can be read."""
    try:
        recording = Recording.open(folder)
        events = [each for each in recording if isinstance(each, Event)]
    except (RecordingError, OSError):
        return {}
    known = recording.header.get("gateways", {})
    return {name: _account(name, told, events) for name, told in known.items()}


def _account(name: str, told: Mapping[str, Any], events: Iterable[Event]) -> Account:
    found, there, count = Account(), defaultdict[str, list[str]](list), 0
    if Kind.ALLOCATED.name not in told.get("knows", [Kind.ALLOCATED.name]):
        found.mappings = found.most = None
    for event in events:
        if event.gateway != name:
            continue
        subscribers = there[f"{event.protocol} {event.address}:{event.port}"]
        if event.kind is Kind.ALLOCATED:
            subscribers.append(event.subscriber)
            count += 1
            found.mappings = (found.mappings or 0) + 1
            found.most = max(found.most or 0, count)
        elif event.kind is Kind.RELEASED and subscribers:
            named = event.subscriber in subscribers  # not each NAT tells whose mapping has ended
            subscribers.pop(subscribers.index(event.subscriber) if named else 0)
            count -= 1
        elif event.kind is Kind.REFUSED:
            limit = event.reason if isinstance(event.reason, Refusal) else Refusal.UNKNOWN
            found.refused[REASONS_IN_WORDS[Refusal].get(limit, ": unknown").removeprefix(": ")] += 1
    found.still_open = sorted(f"{mapping} of {each}" for mapping, those in there.items() for each in those)
    return found


def sentences(found: Mapping[str, Account]) -> Iterator[str]:
    """Yield an account in sentences, each NAT's with its name if there are several."""
    for name, account in found.items():
        before = f"{name}: " if len(found) > 1 else ""
        if account.mappings is None:
            yield f"{before}this NAT does not show its mappings"
            continue
        made = f"{_number(account.mappings, 'mapping')} made, at most {account.most:,} at once"
        yield f"{before}{made}, {_open(account.still_open)}"
        if account.refused:
            each = "; ".join(f"{count:,} since {why}" for why, count in account.refused.most_common())
            yield f"{before}{_number(account.refused.total(), 'packet')} refused: {each}"


def _open(mappings: list[str]) -> str:
    if not mappings:
        return "none still open"
    more = len(mappings) - MOST_NAMED
    named = ", ".join(mappings[:MOST_NAMED]) + f" and {more:,} more" * (more > 0)
    return f"{len(mappings):,} still open: {named}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
