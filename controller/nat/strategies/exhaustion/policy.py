"""What a policy is told, what it may decide, and the base class of all, whose first lines are the contract."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from controller.nat.model import Answer, Limit, Mapping, Packet


@dataclass(slots=True)
class Shortage:
    """What a policy is told: the packet, and which limit stopped it.

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
    """Hold the packet until there is what it needs, at most for `hold_timeout`; then give it the fallback."""


@dataclass(slots=True)
class Evict:
    """End this mapping, and hold the packet until what that frees can be given again."""

    mapping: Mapping


Decision = Answer | Wait | Evict


class Policy(abc.ABC):
    """Decides on each packet that cannot get what it needs, whichever limit stopped it.

    Derive from it and write `decide`. It returns an `Answer` to refuse the packet, `Wait()` to hold it, or
    `Evict(mapping)` to end one of the shortage's victims for it. The NAT makes the policy once, without arguments.
    """

    evicts: ClassVar[bool] = False
    """Whether the NAT has to keep its mappings in the order of their last use, for `Shortage.victims`."""

    @abc.abstractmethod
    def decide(self, shortage: Shortage) -> Decision:
        """Return what becomes of the packet."""
