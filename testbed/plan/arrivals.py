"""What a simulation is fed with: attempts of inside hosts, each with its whole life, in the order of time."""

from __future__ import annotations

import enum

from controller.nat.model import Packet


class Ending(enum.IntEnum):
    """How a connection ends."""

    FIN = 0
    """Both sides end it."""
    RESET = 1
    """One side resets it."""
    SILENCE = 2
    """Nobody ends it: there are no more packets. So ends all that is not TCP."""
    UNANSWERED = 3
    """The other side never answers."""


FIN, RESET, SILENCE, UNANSWERED = Ending

Arrival = tuple[float, Packet, float, Ending, int, int]
"""An attempt: when its first packet comes, that packet, when its last one comes, how it ends, and the numbers of
its class and of its destination. A plain tuple, since there are millions of them."""
