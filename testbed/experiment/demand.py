"""What a question asks of its NAT at most, at the size that its parameters and settings give it.

It is what the NAT's limits and timers have to bear, unless the scenario reckons with them: see `limits.py`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Return(enum.Enum):
    """Whether a question asks for ports that connections have had before, and for whom."""

    NEVER = enum.auto()
    SAME = enum.auto()
    """By the same subscribers again."""
    OTHERS = enum.auto()
    """By other subscribers as well."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The connections that are tried, of each of `protocols`, to be there at one time."""

    shares: tuple[int, ...]
    """How many each subscriber tries, in the order of the subscribers."""
    protocols: tuple[str, ...] = ("tcp",)
    lasts: float | None = None
    """Seconds for which a connection may stay unused, and has to live. None: the question has no such time."""
    fits: int | None = None
    """The number for which there are ports, if it is not that of the pool."""
    in_turn: bool = True
    """Whether subscribers take turns at their attempts, so that all of them get on alike."""
    returns: Return = Return.NEVER
    waiting: int | None = None
    """Packets that wait for a port at once, where the NAT holds them. None: as many as there is no room for."""
    each_s: float | None = None
    """Connections that a subscriber makes in a second, if they come by the clock."""

    @property
    def attempts(self) -> int:
        """The connections that all subscribers try, of each protocol."""
        return sum(self.shares)

    @property
    def fills(self) -> int:
        """How many times all this is tried."""
        return 1 if self.returns is Return.NEVER else 2

    @property
    def of_one(self) -> int:
        """The most connections that one subscriber tries, of each protocol."""
        return max(self.shares, default=0)


MODEST = Demand(shares=(256,))
"""What a scenario is taken to ask for that does not say: no more than a few programs do, on one host."""


def in_turn(attempts: int, subscribers: int) -> tuple[int, ...]:
    """Return the shares of subscribers that make `attempts` attempts in turn."""
    each, more = divmod(attempts, subscribers)
    return tuple(each + (place < more) for place in range(subscribers))
