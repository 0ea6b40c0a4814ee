"""How often a port may be in use at once, and toward which destinations it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from testbed.api import Endpoint, Sighting


def reuses(overlapping: str, targets: Iterable[Endpoint]) -> int:
    """Return the number of these destinations toward which one port may be in use at once (RFC 7857 section 3)."""
    told_apart: dict[str, Callable[[Endpoint], object]] = {
        "endpoint": lambda target: target,
        "address": lambda target: target[0],
        "off": lambda target: None,
    }
    return len({told_apart[overlapping](target) for target in targets})


def at_once(sightings: Iterable[Sighting]) -> dict[Endpoint, set[Endpoint]]:
    """Return for each external endpoint the destinations toward which it was in use at one and the same time."""
    spans: dict[Endpoint, list[Sighting]] = defaultdict(list)
    for seen in sightings:
        spans[seen.external].append(seen)
    users = {}
    for external, seen_there in spans.items():
        moment = max(seen.first for seen in seen_there)
        users[external] = {seen.target for seen in seen_there if seen.last >= moment}
    return users
