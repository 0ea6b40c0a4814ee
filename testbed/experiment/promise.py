"""What a gateway's settings promise: how many connections fit to one service, and what becomes of the others.

Scenarios expect it, and check whether the hosts saw it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.settings import ConfigurationError, Settings
from testbed.experiment.report import Report
from testbed.experiment.scenario import PatientParameters
from testbed.traffic.records import Attempt
from topologies.gateways.base import Gateway
from topologies.gateways.behaviour import Behaviour

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
VERDICT_S = 0.5
"""From the end of a hold to the end of its attempt, on a busy machine."""
SETTLED_WITHIN_S = 1.0
LOOK_EVERY_S = 0.05
EASY_SHARE = 0.5
"""Up to this share of the ports in use, any search finds a free one."""
FOUND_SHARE = 0.9
"""Share of the ports that a search which gives up early finds, when a quarter more than all are asked for."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes of attempts beyond `capacity`: `outcome`, or None where it is not known.

    `evicts`: they are established, and others go for them. `holds`: they wait first. `takes_all_ports`: it is the
    ports that run short. `source` is where all this is declared. `least` are established for certain, up to
    `capacity`: fewer than that where the last free ports need not be found.
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
        """Read it from what the gateway declares, and from the settings."""
        ports = settings.ports * len(settings.external_addresses)
        limit = _limit(settings, protocol, clients)
        declared = behaviour.ports_exhausted if ports <= limit else behaviour.state_exhausted
        shortage = declared.value
        capacity = room(settings, protocol, clients)
        evicts = shortage.evicts == "lru"
        return cls(
            capacity=capacity,
            least=capacity if evicts else _found(behaviour, settings, capacity),
            takes_all_ports=ports <= limit,
            outcome=shortage.outcome.get(protocol) if shortage.outcome else None,
            evicts=evicts,
            holds=shortage.holds,
            source=str(declared),
        )

    def established(self, attempts: int) -> tuple[int, int]:
        """Return how many of so many attempts are established, and kept: at least, and at most."""
        return min(attempts, self.least), min(attempts, self.capacity)


def check_refused(
    attempts: Sequence[Attempt], promise: Promise, report: Report, *, of: str = "", refused: int | None = None
) -> None:
    """Check that attempts which were not established ended as promised, if that is known.

    `of` says whose they are, and `refused` how many there must be: as many as were not established.
    """
    if promise.outcome is None:
        return
    report.check(
        f"{of}all the others end by {promise.outcome}",
        expected=len(_unserved(attempts)) if refused is None else refused,
        observed=sum(attempt.outcome == promise.outcome for attempt in attempts),
        source=f"RFC 6888 REQ-11, RFC 5508 REQ-8; {promise.source}",
    )


def packets_refused(attempts: Sequence[Attempt], promise: Promise) -> int:
    """Return how many packets of these attempts a NAT has refused at least: all that were sent, and not held."""
    return sum(1 if promise.holds else 1 + attempt.retransmissions for attempt in _unserved(attempts))


def dropped(counters: Mapping[str, int | None]) -> int:
    """Return how many packets some limit stopped, as far as the gateway knows."""
    return sum(counters.get(name) or 0 for name in DROPPED)


def settled(
    gateway: Gateway, protocol: str, *, dropping: int, allocated: int | None = None
) -> dict[str, int | None]:
    """Return the gateway's counters when it has dropped so many packets: the last may just have been sent.

    `allocated` is how many ports it must have given by then, where it may still take some back.
    """
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        counters = gateway.counters(protocol)
        done = dropped(counters) >= dropping and allocated in (None, counters.get("ports_allocated"))
        if done or time.monotonic() >= deadline:
            return counters
        time.sleep(LOOK_EVERY_S)


def _unserved(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.outcome != "established"]


def require_patience(parameters: PatientParameters, settings: Settings, behaviour: Behaviour) -> None:
    """Raise ConfigurationError if attempts would be given up before the NAT has said what becomes of them."""
    shortages = (behaviour.ports_exhausted.value, behaviour.state_exhausted.value)
    longest = max((shortage.after for shortage in shortages if shortage.holds), default=0.0)
    if longest and parameters.patience < longest + VERDICT_S:
        raise ConfigurationError(
            f"hold_timeout={settings.hold_timeout:g} is not possible with patience={parameters.patience:g}: "
            f"a packet is held for {longest:g} s, and its attempt would be given up before it is refused; take "
            f"patience={longest + VERDICT_S:g} or more, or a shorter hold_timeout"
        )


def refuse_eviction(scenario: str, settings: Settings) -> None:
    """Raise ConfigurationError if a NAT would make room by itself, where the question is what it refuses."""
    if settings.on_exhaustion == "evict-lru":
        raise ConfigurationError(
            f"setting on_exhaustion=evict-lru is not possible with {scenario}: the NAT would refuse nobody; that "
            "is the scenario eviction. Take drop, icmp, reset or hold"
        )


def _found(behaviour: Behaviour, settings: Settings, capacity: int) -> int:
    """Return for how many connections a port is found for certain, if there are more attempts than that."""
    addresses = len(settings.external_addresses)
    certain = capacity <= settings.ports * EASY_SHARE
    if addresses == 1 or behaviour.fills_every_address.value:
        certain |= settings.ports <= behaviour.finds_every_port_of.value
        addresses = 1
    # At worst all hosts are at one address.
    return capacity if certain else math.floor(capacity / addresses * FOUND_SHARE)


def require_ports_run_short(
    scenario: str, settings: Settings, *, protocol: str, clients: int, connections: int
) -> None:
    """Raise ConfigurationError unless the ports alone stop so many connections, and those beyond are refused."""
    refuse_eviction(scenario, settings)
    limit = _limit(settings, protocol, clients)
    if limit < connections:
        raise ConfigurationError(
            f"{scenario} is about ports, but another limit stops {protocol.upper()} after {limit:,} connections "
            f"of {connections:,}; take a higher limit or null for {', '.join(_set_limits(settings, protocol))}"
        )


def room(settings: Settings, protocol: str, clients: int) -> int:
    """Return how many connections of these clients to one service fit at once."""
    return min(settings.ports * len(settings.external_addresses), _limit(settings, protocol, clients))


def _limit(settings: Settings, protocol: str, clients: int) -> int:
    """How many the limits allow, however many ports there are."""
    shared = [getattr(settings, name) for name in LIMITED_BY]
    own = [settings.port_quota, getattr(settings, f"port_quota_{protocol}")]
    limits = [limit for limit in shared if limit is not None]
    limits += [limit * clients for limit in own if limit is not None]
    return min(limits, default=1 << 32)


def _set_limits(settings: Settings, protocol: str) -> list[str]:
    keys = (*LIMITED_BY, "port_quota", f"port_quota_{protocol}")
    return [key for key in keys if getattr(settings, key) is not None]
