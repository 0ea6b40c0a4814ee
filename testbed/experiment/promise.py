"""What a gateway promises: the number of connections that fit to one service, and what becomes of the others.

The promise follows from what the gateway declares, and from the settings. Scenarios expect what is promised, and
check whether the hosts saw it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.settings import Settings
from testbed.traffic.records import Attempt
from topologies.gateways.behaviour import Behaviour

LIMITED_BY = ("limit_port_mappings", "limit_sessions", "flow_limit")
"""Settings that limit all connections to one service together."""
PROMISED = (
    *LIMITED_BY,
    "limit_sessions_per_destination",
    "subscriber_ports",
    *("port_quota", "port_quota_tcp", "port_quota_udp", "port_quota_icmp"),
)
"""The limits that a promise follows."""
EASY_SHARE = 0.5
"""Share of the ports in use up to which any search finds a free one."""
FOUND_SHARE = 0.9
"""Share of the ports that a search which gives up early finds, if attempts exceed the ports by a quarter."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes of attempts, with `capacity` of them for which there is room.

    From `least` to `capacity` attempts are established. `least` is smaller if the NAT need not find the last free
    ports. Attempts beyond that end by `outcome`, or None if that is not known. `evicts` is whether they are
    established in the place of others, and `holds` is whether they wait first. `takes_all_ports` is whether it is
    the ports that run short. `source` is where all this is declared.
    """

    capacity: int
    takes_all_ports: bool
    outcome: str | None
    evicts: bool
    holds: bool
    source: str
    least: int

    @classmethod
    def of(cls, behaviour: Behaviour, settings: Settings, *, protocol: str, clients: int) -> Promise:
        """Return what a gateway promises, by what it declares and by the settings."""
        ports = settings.capacity
        limit = limit_of(settings, protocol, clients)
        declared = behaviour.ports_exhausted if ports <= limit else behaviour.state_exhausted
        exhaustion = declared.value
        capacity = room(settings, protocol, clients)
        evicts = exhaustion.evicts == "lru"
        return cls(
            capacity=capacity,
            least=capacity if evicts else _found(behaviour, settings, capacity, clients),
            takes_all_ports=ports <= limit,
            outcome=exhaustion.outcome.get(protocol) if exhaustion.outcome else None,
            evicts=evicts,
            holds=exhaustion.holds,
            source=str(declared),
        )

    @property
    def finds_all(self) -> bool:
        """Whether the last free port is found, however few are left."""
        return self.least == self.capacity

    def established(self, attempts: int) -> tuple[int, int]:
        """Return the minimum and maximum number of `attempts` that are established and kept."""
        return min(attempts, self.least), min(attempts, self.capacity)

    def packets_refused(self, attempts: Sequence[Attempt]) -> int:
        """Return the least number of packets that the NAT refused of these attempts: those it did not hold."""
        return sum(1 if self.holds else 1 + attempt.retransmissions for attempt in unserved(attempts))


def unserved(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that were not established."""
    return [attempt for attempt in attempts if attempt.outcome != "established"]


def room(settings: Settings, protocol: str, clients: int) -> int:
    """Return the number of connections of these clients to one service that fit at once."""
    return min(settings.capacity, limit_of(settings, protocol, clients))


def limit_of(settings: Settings, protocol: str, clients: int) -> int:
    """Return the number of connections that the limits allow, whatever the number of ports."""
    shared = [getattr(settings, name) for name in LIMITED_BY if (name, protocol) != ("flow_limit", "icmp")]
    own = [settings.port_quota, getattr(settings, f"port_quota_{protocol}"), most_own_ports(settings)]
    limits = [limit for limit in shared if limit is not None]
    limits += [limit * clients for limit in own if limit is not None]
    if settings.limit_sessions_per_destination is not None:
        limits.append(settings.limit_sessions_per_destination * len(settings.external_addresses))
    return min(limits, default=1 << 32)


def most_own_ports(settings: Settings) -> int | None:
    """Return the most ports that a subscriber may have of its own, if it has any."""
    size, most = settings.subscriber_ports, settings.subscriber_ports_max
    if size is None or most is None:
        return size
    doublings: int = (most // size).bit_length() - 1
    return size << doublings


def _found(behaviour: Behaviour, settings: Settings, capacity: int, clients: int) -> int:
    """Return the number of connections for which a port is found for certain, if there are more attempts."""
    addresses = len(settings.external_addresses)
    if settings.subscriber_ports_max is not None and settings.subscriber_ports is not None:
        return min(capacity, clients * settings.subscriber_ports)  # more, once they have doubled
    certain = capacity <= settings.port_count * EASY_SHARE
    if addresses == 1 or behaviour.fills_every_address.value:
        certain |= settings.port_count <= behaviour.finds_every_port_of.value
        addresses = 1
    # In the worst case all hosts have the same external address.
    return capacity if certain else math.floor(capacity / addresses * FOUND_SHARE)
