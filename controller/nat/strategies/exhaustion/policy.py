"""What a policy is told, what it may decide, and what it has to look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from controller.nat.model import Answer, Limit, Mapping, Packet


@dataclass(slots=True)
class Shortage:
    """What a policy is told: the packet, and which limit stopped it.

    `victims` yields the mappings whose removal would admit the packet, the least recently used first; only for a
    policy that says `evicts`. `fallback` is the answer for when a policy's own way does not lead anywhere.
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


class Policy(Protocol):
    """Decides on packets that cannot get what they need."""

    evicts: ClassVar[bool]
    """Whether the NAT has to keep its mappings in the order of their last use, for `Shortage.victims`."""

    def decide(self, shortage: Shortage) -> Decision:
        """Return what becomes of the packet."""
        ...
