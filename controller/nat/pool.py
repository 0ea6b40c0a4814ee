"""The port-allocation table: which external ports are in use, free, resting or held down.

Each protocol and external address has its own ports. Where ports may overlap, so has each destination (RFC 7857
section 3). A freed port rests, since the switch may still have the old flow in its cache. Then it may be held down
(RFC 6888 REQ-8), for a time that may depend on how its mapping ended. If too many ports are held down, the one
that is due first becomes free early.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from controller.nat.destinations import Destinations
from controller.nat.model import PARTS, Dependence, EndedBy, Endpoint, Limit, Protocol
from controller.nat.own_ports import OwnAllocator, OwnPorts
from controller.nat.settings import NatSettings
from controller.nat.strategies.allocators.allocator import Allocator
from controller.nat.subscribers import Subscriber


@dataclass(frozen=True, slots=True)
class Usage:
    """The number of ports of one protocol in each state."""

    allocated: int = 0
    free: int = 0
    resting: int = 0
    held_down: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sums."""
        return Usage(
            self.allocated + other.allocated,
            self.free + other.free,
            self.resting + other.resting,
            self.held_down + other.held_down,
        )


@dataclass(slots=True, eq=False)
class Freed:
    """An external endpoint that can be given again at `ready_at`, toward a part of the remote endpoint."""

    external: Endpoint
    destination: Endpoint
    ready_at: float
    hold_down: float = 0.0
    """The seconds after its rest for which it is to be held down."""
    is_held_down: bool = False


class Ports:
    """The ports of one protocol, at all external addresses."""

    def __init__(
        self, protocol: Protocol, settings: NatSettings, rng: random.Random, own: OwnPorts | None = None
    ) -> None:
        """Make all ports free. With `own` each subscriber gets ports of its own only."""
        self._settings = settings
        self._own = own
        overlaps = settings.overlaps(protocol)
        self.part = PARTS[overlaps]
        """The function that returns the part of a remote endpoint that has ports of its own."""
        self._overlap = overlaps is not Dependence.INDEPENDENT
        self._rest = settings.rest
        self._plan = settings.plan(rng)
        self._capacity = settings.capacity_of_address
        self._hold_downs = {ended_by: settings.hold_down(protocol, ended_by) for ended_by in EndedBy}
        self._free: dict[int, dict[Endpoint, Allocator]] = {address: {} for address in settings.external_addresses}
        self._resting: deque[Freed] = deque()
        # A queue for each duration: in each, ports come due in the order in which they came.
        self._held_down: defaultdict[float, deque[Freed]] = defaultdict(deque)
        self._held = 0
        most = settings.hold_down_max
        self._most_held_down = math.inf if most is None else most
        # The endpoints of static mappings that an allocator may still give: one that comes up stays taken.
        self._reserved = {each.external for each in settings.static_mappings if each.protocol is protocol}
        self.allocated = len(self._reserved)
        self._allocated_at = Counter(external.address for external in self._reserved)
        self._resting_at: Counter[int] = Counter()
        self._held_down_at: Counter[int] = Counter()
        self._has_several = len(settings.external_addresses) > 1  # else the sums are those of the address

    def allocate(
        self, address: int, internal: Endpoint, destination: Endpoint, remote: Endpoint, now: float
    ) -> Endpoint | None:
        """Take an external endpoint at `address`, or return None if there is none for `internal`.

        Where ports overlap, the remote endpoint may be an external one of the same pool: another host's. It is not
        given as well then, since nothing would tell the two ends apart.
        """
        by_destination = self._free[address]
        allocator = by_destination.get(destination)
        if allocator is None:
            allocator = by_destination[destination] = self._new_allocator(address)
        external = self._draw(allocator, address, internal, now)
        if external is not None and external == remote:
            external = self._draw(allocator, address, internal, now)
            allocator.release(remote.port, now)
        if external is not None:
            self.allocated += 1
            if self._has_several:
                self._allocated_at[address] += 1
        return external

    def adopt(self, other: Ports) -> None:
        """Take over the ports of another NAT, whose addresses and allocators are the same."""
        self._plan, self._free, self._reserved = other._plan, other._free, other._reserved
        self._own = other._own
        self._resting, self._held_down, self._held = other._resting, other._held_down, other._held
        self.allocated, self._allocated_at = other.allocated, other._allocated_at
        self._resting_at, self._held_down_at = other._resting_at, other._held_down_at

    def _new_allocator(self, address: int) -> Allocator:
        """Return an allocator of an address, without the ports of static mappings where it can do without them."""
        if self._own is not None:
            return OwnAllocator(self._own, self._capacity, self._new_for)
        allocator = self._settings.allocator(self._plan)
        mine = (external for external in self._reserved if external.address == address)
        self._reserved -= {external for external in mine if allocator.leave_out(external.port)}
        return allocator

    def _new_for(self, run: range) -> Allocator:
        """Return an allocator of a subscriber's own ports."""
        return self._settings.allocator(dataclasses.replace(self._plan, ports=run))

    def _draw(self, allocator: Allocator, address: int, internal: Endpoint, now: float) -> Endpoint | None:
        """Take an external endpoint that is no static mapping's, or return None."""
        while (port := allocator.allocate(internal, now)) is not None:
            external = Endpoint(address, port)
            if not self._reserved or external not in self._reserved:
                return external
            self._reserved.remove(external)
        return None

    def release(self, external: Endpoint, destination: Endpoint, now: float, *, ended_by: EndedBy | None) -> Freed:
        """Take an endpoint back. It can be given again after its rest and its hold-down."""
        self.allocated -= 1
        if self._has_several:
            self._allocated_at[external.address] -= 1
            self._resting_at[external.address] += 1
        hold_down = 0.0 if ended_by is None else self._hold_downs[ended_by]
        freed = Freed(external, destination, now + self._rest, hold_down)
        self._resting.append(freed)
        return freed

    def reclaim(self, now: float) -> Iterator[Freed]:
        """Move each port on whose rest or hold-down is over, and yield it: it is held down now, or free."""
        while self._resting and self._resting[0].ready_at <= now:
            rested = self._resting.popleft()
            if self._has_several:
                self._resting_at[rested.external.address] -= 1
                self._held_down_at[rested.external.address] += rested.hold_down > 0
            if rested.hold_down:
                rested.ready_at += rested.hold_down
                rested.is_held_down = True
                self._held_down[rested.hold_down].append(rested)
                self._held += 1
                yield rested
            else:
                yield self._make_free(rested, now)
        while (queue := self._next_held_down()) is not None and (
            queue[0].ready_at <= now or self._held > self._most_held_down
        ):
            held = queue.popleft()
            self._held -= 1
            if self._has_several:
                self._held_down_at[held.external.address] -= 1
            yield self._make_free(held, now)

    def _next_held_down(self) -> deque[Freed] | None:
        """Return the queue of the port that is the first to be free, or None if none is held down."""
        if not self._held:
            return None
        return min((queue for queue in self._held_down.values() if queue), key=lambda queue: queue[0].ready_at)

    @property
    def holds_down(self) -> bool:
        """Whether a port stays out of use for longer than its rest."""
        return any(self._hold_downs.values())

    def usage(self) -> Usage:
        """Count the ports by their state. A destination counts while it has ports that are not free."""
        return sum((usage for _, usage in self.usages()), Usage())

    def usages(self) -> Iterator[tuple[int, Usage]]:
        """Yield each address, and the number of its ports by their state."""
        reserved = Counter(external.address for external in self._reserved)
        for address, by_destination in self._free.items():
            free = sum(map(len, by_destination.values())) if by_destination else self._capacity
            free -= reserved[address]
            if self._has_several:
                used = self._allocated_at[address]
                yield address, Usage(used, free, self._resting_at[address], self._held_down_at[address])
            else:
                yield address, Usage(self.allocated, free, len(self._resting), self._held)

    @property
    def next_deadline(self) -> float | None:
        """When the next port goes on to its next state, or None."""
        deadlines = [queue[0].ready_at for queue in (self._resting, self._next_held_down()) if queue]
        return min(deadlines, default=None)

    def _make_free(self, freed: Freed, now: float) -> Freed:
        by_destination = self._free[freed.external.address]
        allocator = by_destination[freed.destination]
        allocator.release(freed.external.port, now)
        if self._overlap and len(allocator) == self._capacity:
            del by_destination[freed.destination]  # destinations come and go
        freed.is_held_down = False
        return freed


class Pool:
    """Gives external endpoints to internal ones, and takes them back."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self._pooling = settings.pooling(settings.external_addresses, rng)
        plan, addresses = settings.own_ports, settings.external_addresses
        self._own = None if plan is None else OwnPorts(plan, settings.ports, addresses)
        self.ports = {protocol: Ports(protocol, settings, rng, self._own) for protocol in Protocol}
        self.limit = self._usual_limit = settings.pool_limit
        """What was short when a mapping could last not be made."""
        most = settings.limit_sessions_per_destination
        self.destinations = None if most is None else Destinations(most)
        self._is_plain = self._own is None and self.destinations is None

    def adopt(self, other: Pool) -> None:
        """Take over the ports of another NAT, and the addresses that its subscribers are paired with."""
        self._pooling, self._own = other._pooling, other._own
        for protocol, ports in self.ports.items():
            ports.adopt(other.ports[protocol])

    def allocate(
        self, protocol: Protocol, subscriber: Subscriber, internal: Endpoint, remote: Endpoint, now: float
    ) -> Endpoint | None:
        """Take an external endpoint for packets from `internal` to `remote`, or return None: `limit` is short."""
        ports = self.ports[protocol]
        destination = ports.part(remote)
        if self._is_plain:
            for address in self._pooling.candidates(subscriber):
                external = ports.allocate(address, internal, destination, remote, now)
                if external is not None:
                    return external
            return None
        addresses = self._addresses(subscriber, now)
        self.limit = self._usual_limit if addresses else Limit.RESERVATION
        for address in addresses:
            if self.destinations is not None and self.destinations.is_full(protocol, address, remote):
                self.limit = Limit.DESTINATION
                continue
            external = ports.allocate(address, internal, destination, remote, now)
            if external is not None:
                return external
        return None

    def _addresses(self, subscriber: Subscriber, now: float) -> tuple[int, ...]:
        """Return the addresses that a mapping may use: that of the subscriber's own ports, if it has any.

        They are reserved if it has none. Where none can be, there is no address.
        """
        if self._own is None:
            return tuple(self._pooling.candidates(subscriber))
        holder = self._own.holders.get(subscriber.address)
        if holder is None:
            holder = self._own.reserve(subscriber.address, self._pooling.candidates(subscriber), now)
        if holder is None:
            return ()
        subscriber.external_address = holder.address
        return (holder.address,)

    def release(
        self,
        protocol: Protocol,
        external: Endpoint,
        remote: Endpoint,
        now: float,
        *,
        ended_by: EndedBy | None,
    ) -> Freed:
        """Take an endpoint back that was given for packets to `remote`."""
        ports = self.ports[protocol]
        return ports.release(external, ports.part(remote), now, ended_by=ended_by)

    def holds_down(self, protocol: Protocol) -> bool:
        """Whether ports of a protocol stay out of use for longer than their rest."""
        return self.ports[protocol].holds_down

    def reclaim(self, now: float) -> Iterator[tuple[Protocol, Freed]]:
        """Move each port on whose rest or hold-down is over, and yield it: it is held down now, or free."""
        for protocol, ports in self.ports.items():
            for freed in ports.reclaim(now):
                yield protocol, freed
        if self._own is not None:
            self._own.due(now)

    def allocated(self, protocol: Protocol) -> int:
        """Return the number of allocated ports of one protocol."""
        return self.ports[protocol].allocated

    def usage(self, protocol: Protocol) -> Usage:
        """Count the ports of one protocol by their state."""
        return self.ports[protocol].usage()

    def usages(self, protocol: Protocol) -> Iterator[tuple[int, Usage]]:
        """Yield each external address, and the number of its ports of one protocol by their state."""
        return self.ports[protocol].usages()

    @property
    def next_deadline(self) -> float | None:
        """When the next port goes on to its next state, or None."""
        deadlines = [ports.next_deadline for ports in self.ports.values()]
        if self._own is not None:
            deadlines.append(self._own.next_deadline)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)
