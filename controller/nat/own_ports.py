"""Ports that belong to a subscriber: reserved when it first needs one, for every protocol and destination alike.

A cloud's NAT reserves ports for each virtual machine in advance. So no machine takes another's, and one that needs
more than it has is refused while the pool is all but empty. In some of them the ports double when a machine is
about to use them up, after a while and up to a limit. Ports go back to all when none of them has been in use for
`timeout` seconds.

Who has which ports is decided here. Which of its own a mapping gets is an allocator's choice: an `OwnAllocator`
has the ports of one address, protocol and destination, and an allocator of the usual kind for each run of each
subscriber that uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controller.nat.model import Endpoint
from controller.nat.port_set import Ports
from controller.nat.runs import Runs
from controller.nat.strategies.allocators.allocator import Allocator
from controller.nat.timers import Timed, TimerQueue

NewAllocator = Callable[[range], Allocator]


@dataclass(frozen=True, slots=True)
class OwnPortsPlan:
    """`size` ports of each subscriber, which may double up to `most` of them.

    They do when `threshold` percent are in use toward one destination, and `delay` seconds after that.
    """

    size: int
    most: int
    threshold: float
    delay: float
    timeout: float


@dataclass(slots=True, eq=False)
class Holder(Timed):
    """A subscriber's ports: runs of one external address. `in_use` counts each port once for each destination."""

    subscriber: int
    address: int
    runs: list[range]
    in_use: int = 0

    @property
    def ports(self) -> int:
        """The number of its ports."""
        return sum(map(len, self.runs))


class OwnPorts:
    """Who has which ports. A holder waits for its ports to double, or to go back to all, or for neither."""

    def __init__(self, plan: OwnPortsPlan, ports: Ports, addresses: Iterable[int]) -> None:
        self.plan = plan
        self.holders: dict[int, Holder] = {}
        self._runs = {address: Runs(ports, plan.size) for address in addresses}
        self._growing: TimerQueue[Holder] = TimerQueue(plan.delay)
        self._idle: TimerQueue[Holder] = TimerQueue(plan.timeout)

    def reserve(self, subscriber: int, addresses: Iterable[int], now: float) -> Holder | None:
        """Return the ports of a subscriber without any, at the first of these addresses with room, or None."""
        for address in addresses:
            run = self._runs[address].take(self.plan.size)
            if run is not None:
                holder = self.holders[subscriber] = Holder(subscriber, address, [run])
                self._idle.arm(holder, now)
                return holder
        return None

    def took(self, holder: Holder) -> None:
        """Take note that a port of a holder is in use."""
        if not holder.in_use:
            self._idle.disarm(holder)
        holder.in_use += 1

    def gave_back(self, holder: Holder, now: float) -> None:
        """Take note that a port of a holder is no longer in use. If it was the last one, all are idle."""
        holder.in_use -= 1
        if not holder.in_use:
            self._idle.arm(holder, now)

    def watch(self, holder: Holder, used: int, now: float) -> None:
        """Let a holder's ports double after the delay, if it uses so many of them toward one destination."""
        ports, plan = holder.ports, self.plan
        if 2 * ports > plan.most or 100 * used < plan.threshold * ports or holder.before is not None:
            return
        if plan.delay:
            self._growing.arm(holder, now)
        else:
            self._grow(holder)

    def due(self, now: float) -> None:
        """Double what is to be doubled by now, and give back to all what nobody has used."""
        for holder in self._growing.due(now):
            self._grow(holder)
        for holder in self._idle.due(now):
            del self.holders[holder.subscriber]
            for run in holder.runs:
                self._runs[holder.address].give(run)

    def _grow(self, holder: Holder) -> None:
        run = self._runs[holder.address].take(holder.ports)
        if run is not None:
            holder.runs.append(run)

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        deadlines = [queue.next_deadline for queue in (self._growing, self._idle)]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)


@dataclass(slots=True)
class _Share:
    """What a holder has of one destination: an allocator for each of its runs, and the ports in use."""

    allocators: list[Allocator] = field(default_factory=list)
    used: int = 0


class OwnAllocator(Allocator):
    """Gives each subscriber ports of its own only, toward one destination."""

    def __init__(self, own: OwnPorts, capacity: int, new: NewAllocator) -> None:
        self._own = own
        self._new = new
        self._free = capacity
        self._shares: dict[Holder, _Share] = {}
        self._given: dict[int, tuple[Holder, Allocator]] = {}

    def __len__(self) -> int:
        return self._free

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port of the subscriber's own, or return None if all of them are in use."""
        holder = self._own.holders[internal.address]
        share = self._shares.get(holder)
        if share is None:
            share = self._shares[holder] = _Share()
        while len(share.allocators) < len(holder.runs):
            share.allocators.append(self._new(holder.runs[len(share.allocators)]))
        for allocator in share.allocators:
            port = allocator.allocate(internal, now)
            if port is not None:
                self._given[port] = holder, allocator
                self._free -= 1
                share.used += 1
                self._own.took(holder)
                self._own.watch(holder, share.used, now)
                return port
        self._own.watch(holder, share.used, now)
        return None

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given."""
        holder, allocator = self._given.pop(port)
        allocator.release(port, now)
        self._free += 1
        share = self._shares[holder]
        share.used -= 1
        if not share.used:
            del self._shares[holder]
        self._own.gave_back(holder, now)
