"""The port-allocation table: external addresses x ports, once for each protocol.

Each port of each address is in one of four states, per protocol, and their numbers always add up to the
pool's size: *allocated* to a mapping, *resting* or *held down* after its release, or *free*. A subscriber
(an inside address) keeps to one external address (RFC 4787 REQ-2, "Paired"); new subscribers take them in turn.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass

from controller.nat.model import Endpoint, Protocol
from controller.nat.settings import NatSettings
from controller.nat.timers import TimerQueue


@dataclass(frozen=True, slots=True)
class Usage:
    """How many ports of one protocol are in each state."""

    allocated: int
    free: int
    resting: int
    held_down: int


class Pool:
    """Gives external endpoints to internal ones, and takes them back."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self.ports = settings.ports
        self.mappings_by_subscriber: Counter[int] = Counter()
        self._addresses: dict[int, int] = {}
        self._next_address = itertools.cycle(settings.external_addresses)
        self._free = {
            (protocol, address): settings.allocator(settings.ports, rng)
            for protocol in Protocol
            for address in settings.external_addresses
        }
        self._allocated = dict.fromkeys(Protocol, 0)
        self._holds_down = settings.hold_down_timeout > 0
        quarantine = max(settings.hold_down_timeout, settings.rest)
        self._quarantine: dict[Protocol, TimerQueue[Endpoint]] = {
            protocol: TimerQueue(quarantine) for protocol in Protocol
        }

    def allocate(self, protocol: Protocol, internal: Endpoint) -> Endpoint | None:
        """Take an external endpoint for `internal`, or return None if its external address has none free.

        With paired pooling no other address may help out (RFC 7857 section 4).
        """
        address = self.external_address(internal)
        port = self._free[protocol, address].allocate(internal)
        if port is None:
            return None
        self.mappings_by_subscriber[internal.address] += 1
        self._allocated[protocol] += 1
        return Endpoint(address, port)

    def external_address(self, internal: Endpoint) -> int:
        """Return the external address of a subscriber, a new one's for good until its last mapping ends."""
        address = self._addresses.get(internal.address)
        if address is None:
            address = self._addresses[internal.address] = next(self._next_address)
        return address

    def release(self, protocol: Protocol, internal: Endpoint, external: Endpoint, now: float) -> None:
        """Take an endpoint back; it is given again only after its rest or hold-down."""
        self.mappings_by_subscriber[internal.address] -= 1
        if not self.mappings_by_subscriber[internal.address]:
            del self.mappings_by_subscriber[internal.address]
            del self._addresses[internal.address]
        self._allocated[protocol] -= 1
        self._quarantine[protocol].arm(external, now)

    def reclaim(self, now: float) -> None:
        """Make free what has rested long enough."""
        for protocol, queue in self._quarantine.items():
            for external in queue.due(now):
                self._free[protocol, external.address].release(external.port)

    def usage(self, protocol: Protocol) -> Usage:
        """Count the ports of one protocol by their state."""
        waiting = len(self._quarantine[protocol])
        free = sum(len(ports) for (of, _), ports in self._free.items() if of is protocol)
        return Usage(
            allocated=self._allocated[protocol],
            free=free,
            resting=0 if self._holds_down else waiting,
            held_down=waiting if self._holds_down else 0,
        )

    @property
    def next_deadline(self) -> float | None:
        """When the next port becomes free again, or None."""
        deadlines = [queue.next_deadline for queue in self._quarantine.values()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)
