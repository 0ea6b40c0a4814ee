"""What a gateway's settings promise: how many connections fit to one service, and what becomes of the others.

Scenarios expect it, and check whether the hosts saw it.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.configuration import Settings

OUTCOMES = {
    ("drop", "tcp"): "timeout",
    ("drop", "udp"): "timeout",
    ("icmp", "tcp"): "icmp",
    ("icmp", "udp"): "icmp",
    ("reset", "tcp"): "reset",
    ("reset", "udp"): "icmp",
}
"""The outcome of a refused attempt, by what its sender is told, and protocol."""
LIMITED_BY = ("limit_port_mappings", "limit_sessions", "flow_limit")
"""Settings that limit all connections to one service together."""
DROPPED = tuple(
    f"dropped_{what}_packets"
    for what in (
        *("port", "address", "port_limit", "subscriber_limit", "mapping_limit", "state_limit"),
        *("rate", "flow_table", "hold"),
    )
)
"""The counters of packets that some limit stopped."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes of attempts beyond `capacity`: `outcome`, or None where it is not known.

    `evicts`: they are established, and others go for them. `holds`: they wait first. `takes_all_ports`: it is the
    ports that run short.
    """

    capacity: int
    takes_all_ports: bool
    outcome: str | None
    evicts: bool
    holds: bool

    @classmethod
    def of(cls, settings: Settings, *, protocol: str, clients: int) -> Promise:
        """Read it from the settings."""
        policy = settings.on_exhaustion
        answer = settings.fallback if policy == "hold" else policy
        ports, capacity = settings.ports * len(settings.external_addresses), _capacity(settings, protocol, clients)
        return cls(
            capacity=min(ports, capacity),
            takes_all_ports=ports <= capacity,
            outcome=OUTCOMES.get((answer, protocol)),
            evicts=policy == "evict-lru",
            holds=policy == "hold",
        )


def _capacity(settings: Settings, protocol: str, clients: int) -> int:
    """How many connections of these clients to one service the limits allow at once."""
    shared = [getattr(settings, name) for name in LIMITED_BY]
    own = [settings.port_quota, getattr(settings, f"port_quota_{protocol}")]
    limits = [limit for limit in shared if limit is not None]
    limits += [limit * clients for limit in own if limit is not None]
    return min(limits, default=1 << 32)
