"""What a policy gets, what it may decide, and the base class of all, whose first lines are the contract."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from controller.nat.model import Answer, Limit, Mapping, Packet


@dataclass(slots=True)
class Shortage:
    """What a policy gets: the packet, and the limit that stopped it.

    `victims` yields the mappings whose removal would admit the packet, the least recently used first. It yields
    none unless the policy has `evicts = True`. `fallback` is the answer for a packet that the policy's own way
    does not help.
    """

    packet: Packet
    limit: Limit
    victims: Iterator[Mapping]
    fallback: Answer


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold the packet until what it needs is free. After `hold_timeout` it gets the fallback."""


@dataclass(slots=True)
class Evict:
    """End this mapping, and hold the packet until what the mapping frees can be given again."""

    mapping: Mapping


Decision = Answer | Wait | Evict


class Policy(abc.ABC):
    """Decides on each packet that cannot get what it needs, whichever limit stopped it.

    Derive from it and write `decide`. It returns an `Answer` to refuse the packet, `Wait()` to hold it, or
    `Evict(mapping)` to end one of the shortage's victims for it. The NAT makes the policy once, without arguments.
    """

    evicts: ClassVar[bool] = False
    """Whether the NAT has to keep its mappings in the order of their last use, for `Shortage.victims`."""
    answers: ClassVar[Answer | None] = None
    """The answer to every refused packet, if there is one: scenarios then check that its sender gets it."""

    @abc.abstractmethod
    def decide(self, shortage: Shortage) -> Decision:
        """Return what becomes of the packet."""
