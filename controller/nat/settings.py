"""The settings of the NAT's core. Reading and checking what a user wrote is done in `controller.settings`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.nat.model import Answer, Dependence, EndedBy, Limit, Protocol, Side, StaticMapping
from controller.nat.own_ports import OwnPortsPlan
from controller.nat.port_set import Ports
from controller.nat.runs import Runs
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.exhaustion.policy import Policy
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.tcp import TcpTimer


@dataclass(frozen=True, slots=True)
class NatSettings:
    """The behaviours, the strategies, the limits and the timers. All times are in seconds; None is no limit.

    `rest` is the time for which a freed port stays out of use, while the switch may still have the old flow in its
    cache. `hold_down_timeout` is RFC 6888 REQ-8's, and counts instead of the rest where it is longer.
    """

    external_addresses: tuple[int, ...]
    ports: Ports
    mapping: Dependence
    filtering: Dependence
    overlapping: Dependence
    """What must differ between two destinations that share an external port; INDEPENDENT is never."""
    pooling: type[Pooling]
    allocator: type[Allocator]
    port_set_size: int
    port_set_timeout: float
    on_exhaustion: type[Policy]
    fallback: Answer
    hold_timeout: float
    hold_queue: int
    evict_only_idle_for: float
    port_quota: int | None
    port_quotas: dict[Protocol, int | None]
    limit_port_mappings: int | None
    limit_sessions: int | None
    limit_unanswered_inbound_sessions: int
    limit_subscribers: int | None
    new_mapping_rate_per_subscriber: float | None
    pool_usage_low: float
    pool_usage_high: float
    """Percent of the pool's ports, for each protocol."""
    udp_timeout: float
    icmp_timeout: float
    tcp_timeouts: dict[TcpTimer, float]
    hold_down_timeout: float
    hold_down_max: int | None
    rest: float
    refresh_inbound: bool
    static_mappings: tuple[StaticMapping, ...] = ()
    limit_sessions_per_destination: int | None = None
    overlapping_udp: Dependence | None = None
    """The same as `overlapping` for UDP, or None if UDP is no exception."""
    late_reset: frozenset[Side] = frozenset()
    """The sides whose senders get a reset for a TCP segment that belongs to no connection."""
    own_ports: OwnPortsPlan | None = None
    """The ports that each subscriber has for itself, or None if all subscribers share all ports."""
    hold_down_by_end: Mapping[EndedBy, float | None] = field(default_factory=dict)
    """The hold-down by the way in which a mapping ended. None, or no entry, is `hold_down_timeout` as usual."""

    def plan(self, rng: random.Random) -> PortPlan:
        """Return the plan for an allocator that draws from this generator."""
        return PortPlan(self.ports, rng, self.port_set_size, self.port_set_timeout)

    @property
    def capacity_of_address(self) -> int:
        """How many ports of each external address the allocator gives: the length of a new one.

        It is made with a generator of its own, so that asking changes nothing of what a seed repeats.
        """
        if self.own_ports is not None:
            return len(Runs(self.ports, self.own_ports.size))
        return len(self.allocator(self.plan(random.Random(0))))

    @property
    def capacity(self) -> int:
        """How many ports of all external addresses the allocator gives."""
        return self.capacity_of_address * len(self.external_addresses)

    def overlaps(self, protocol: Protocol) -> Dependence:
        """Return what must differ between two destinations that share an external port of a protocol."""
        if protocol is Protocol.UDP and self.overlapping_udp is not None:
            return self.overlapping_udp
        return self.overlapping

    @property
    def pool_limit(self) -> Limit:
        """What is short for a new mapping when no port is free for it."""
        return self.pooling.limit if self.own_ports is None else Limit.SUBSCRIBER_PORTS

    @property
    def is_by_subscriber(self) -> bool:
        """Whether a port that one subscriber gives back is of no use to another."""
        return self.allocator.by_subscriber or self.own_ports is not None

    def hold_down(self, protocol: Protocol, ended_by: EndedBy) -> float:
        """Return the seconds for which a port is held down after its rest.

        `hold_down_timeout` has the exceptions of RFC 6888 REQ-8: TCP, which is tracked (a), and filtering that
        keeps strangers out (c). Where a time is set for the way in which a mapping ended, it has none.
        """
        seconds = self.hold_down_by_end.get(ended_by)
        if seconds is None:
            is_exempt = protocol is Protocol.TCP or self.filtering is not Dependence.INDEPENDENT
            seconds = 0.0 if is_exempt else self.hold_down_timeout
        return max(0.0, seconds - self.rest)

    def flows(self, protocol: Protocol) -> Dependence:
        """Return the part of the remote endpoint by which the rules of a protocol's flows must differ.

        One pair of rules for a whole mapping filters nothing and hides each session, so a mapping has only one
        pair where both are wanted. It cannot tell what a stranger sends, either. That matters for TCP always, and
        for other protocols where inbound packets keep a mapping. A static mapping needs no flow to be found.
        """
        inbound_counts = self.refresh_inbound or self.on_exhaustion.evicts
        hides_strangers = self.filtering is Dependence.INDEPENDENT and inbound_counts
        has_static = any(static.protocol is protocol for static in self.static_mappings)
        counts = self.limit_sessions is not None or self.limit_sessions_per_destination is not None
        if protocol is Protocol.TCP or hides_strangers or has_static or counts:
            return Dependence.ADDRESS_AND_PORT
        return max(self.mapping, self.filtering)
