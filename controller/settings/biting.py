"""Which settings are limits and timers, and what each may stop or end while an experiment runs.

Each limit and timer has such a mark where it is declared, in `controller.settings.keys`. A scenario names those
that its expectations reckon with. For any other, the mark says what of the experiment's size it has to bear
(`testbed/experiment/limits.py`).
"""

from __future__ import annotations

import enum


class Bites(enum.StrEnum):
    """What a limit or a timer may stop, end or take away."""

    ALL = "connections of all subscribers together"
    SUBSCRIBER = "connections of one subscriber"
    SUBSCRIBERS = "subscribers"
    DESTINATION = "connections to one destination"
    RATE = "connections that a subscriber makes in a second"
    OWN_PORTS = "connections of one subscriber, which has ports of its own"
    BLOCKS = "a port that is free, but in another subscriber's block"
    WAITING = "packets that wait for a port"
    VICTIMS = "evictions of mappings that were used a moment ago"
    ERRORS = "ICMP errors"
    IDLE = "a connection that is not used for a while"
    OPENING = "a connection that is answered late"
    RETURN = "a port that is wanted again"
    POOL = "ports of the pool"
    TRANSLATION = "packets that pass untranslated"
