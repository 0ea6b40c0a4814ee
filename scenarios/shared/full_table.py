"""A table that is full while ports are left: the requirement for that, and the counters of what ran short."""

from __future__ import annotations

from typing import Any

from testbed.api import DROPPED, Asked, Counters, Experiment, Of, Refusal, Requirement, at_least, room


def runs_short_first(key: str, *, or_null: bool = False) -> Requirement:
    """Need that the limit `key` runs short before ports and other limits. With `or_null` it may also be null."""

    def unmet(asked: Asked) -> Refusal | None:
        limit = getattr(asked.settings, key)
        fits = room(asked.settings, asked.parameters.protocol, asked.parameters.subscribers)
        if limit is None and or_null:
            return None
        if fits != limit:
            why = f"only {fits:,} connections fit, so something else runs short first"
        elif fits == asked.settings.capacity:
            why = f"there are {fits:,} ports as well, so none is left when {key} is reached"
        else:
            return None
        return Refusal(key, limit, why, f"a {key} below {fits:,}, or more of what runs short")

    null = ", or null" * or_null
    return Requirement(f"a {key} below the number of ports and below every other limit{null}", unmet, Of.SETTINGS)


def check_dropped_for(what: str, name: str, packets: int, counters: Counters, x: Experiment[Any]) -> None:
    """Check that the gateway dropped `packets` or more for want of `what`, and none for want of anything else.

    `name` is the counter of packets dropped for want of `what`. If the gateway does not know it, nothing is
    checked.
    """
    if counters.get(name) is None:
        return
    others = (each for each in DROPPED if each != name)
    x.agrees(f"packets dropped for want of {what}", at_least(packets), name, of=counters)
    x.agrees("packets dropped for want of anything else", 0, *others, of=counters)
