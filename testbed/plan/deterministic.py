"""Ports by arithmetic (RFC 7422): each subscriber has one block for good, and a carrier needs no log.

The arithmetic is that of `testbed/natlog/lines.py`, which `lastport who` inverts. Here it becomes two strategies
of the core: the pooling finds a subscriber's external address, and the allocator draws from its block. A
subscriber with a full block is refused, however empty the blocks of others are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from controller.nat.model import Endpoint, Limit
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.deck import Deck
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.subscribers import Subscriber
from controller.settings import ConfigurationError, Settings
from testbed.natlog.lines import Assignment
from testbed.plan.workload import FIRST_INSIDE


def assignment(settings: Settings, subscribers: int, size: int) -> Assignment:
    """Return the assignment of a block of `size` ports to each subscriber. Raises ConfigurationError."""
    last = FIRST_INSIDE + subscribers - 1
    bits = (FIRST_INSIDE ^ last).bit_length() if subscribers > 1 else 1
    first = FIRST_INSIDE >> bits << bits
    inside = ipaddress.IPv4Network((first, 32 - bits))
    ports = settings.port_set
    asked = f"parameter block_of_each={size} is not possible with"
    if not isinstance(ports, range):
        raise ConfigurationError(f"{asked} several ranges of ports: blocks are counted in one; take one range")
    if size > len(ports):
        raise ConfigurationError(f"{asked} ports={settings.ports}: take at most {len(ports)}")
    addresses = tuple(map(str, settings.external_addresses))
    found = Assignment(datetime.now(UTC).replace(microsecond=0), addresses, ports, size, inside)
    if last - first >= found.room:
        needed = -(-(last - first + 1) // found.blocks)
        raise ConfigurationError(
            f"{asked} subscribers={subscribers} and {len(addresses)} external addresses: these have "
            f"{found.room:,} blocks; take external_addresses={needed}, or smaller blocks"
        )
    return found


def strategies(of: Assignment) -> tuple[type[Allocator], type[Pooling]]:
    """Return the allocator and the pooling that follow an assignment."""
    first, ways = int(of.inside.network_address), len(of.addresses)

    class OwnBlock(Allocator):
        """Gives random ports of the subscriber's own block."""

        by_subscriber: ClassVar[bool] = True

        def __init__(self, plan: PortPlan) -> None:
            self._rng = plan.rng
            self._free = of.blocks * of.size
            self._decks: dict[int, Deck] = {}

        def __len__(self) -> int:
            return self._free

        def allocate(self, internal: Endpoint, now: float) -> int | None:
            """Take a port of the subscriber's block, or return None if it is full."""
            number = (internal.address - first) // ways
            deck = self._decks.get(number)
            if deck is None:
                start = of.ports.start + number * of.size
                deck = self._decks[number] = Deck(range(start, start + of.size), self._rng)
            port = deck.draw()
            self._free -= port is not None
            return port

        def release(self, port: int, now: float) -> None:
            """Take back a port."""
            number = (port - of.ports.start) // of.size
            self._decks[number].put_back(port)
            self._free += 1
            if len(self._decks[number]) == of.size:
                del self._decks[number]

    class OwnAddress(Pooling):
        """Each subscriber has one external address for good."""

        limit: ClassVar[Limit] = Limit.PORTS

        def __init__(self, addresses: tuple[int, ...], rng: object) -> None:
            self._addresses = addresses

        def candidates(self, subscriber: Subscriber) -> Iterable[int]:
            """Return the subscriber's own address."""
            return (self._addresses[(subscriber.address - first) % ways],)

    return OwnBlock, OwnAddress
