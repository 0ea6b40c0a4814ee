"""The configured ceilings, and the order in which they are checked.

    1  SUBSCRIBERS   limit_subscribers, for a subscriber without mappings
    2  QUOTA         port_quota, then that of the protocol
    3  RATE          new_mapping_rate_per_subscriber
    4  MAPPINGS      limit_port_mappings
    5  SESSIONS      limit_sessions
    6  PORTS, POOL   in `pool.py`: what remains is to find a port
    7  FLOW_TABLE    the switch says so afterwards, and the mapping is undone

From what concerns one subscriber to what concerns all, so that nobody is blamed for what another used up. No RFC
gives an order. A new session of an existing mapping meets SESSIONS and FLOW_TABLE only. The first that is hit
refuses the packet, and it alone is counted.
"""

from __future__ import annotations

from controller.nat.model import Limit, Protocol
from controller.nat.settings import NatSettings
from controller.nat.subscribers import Subscriber
from controller.nat.timers import Timed, TimerQueue
from controller.nat.tokens import TokenBucket


class _Rate(Timed):
    """The token bucket of a subscriber, kept until it is full again."""

    __slots__ = ("address", "bucket")

    def __init__(self, address: int, bucket: TokenBucket) -> None:
        super().__init__()
        self.address = address
        self.bucket = bucket


class Limits:
    """Knows the subscribers, and how much of everything is in use."""

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self.subscribers: dict[int, Subscriber] = {}
        self.mappings = 0
        self.sessions = 0
        rate = settings.new_mapping_rate_per_subscriber
        self._rate = rate or 0.0
        self._burst = max(1.0, self._rate)
        self._rates: dict[int, _Rate] = {}
        self._refilled: TimerQueue[_Rate] = TimerQueue(self._burst / rate if rate else 0.0)

    def subscriber(self, address: int, external_address: int | None = None) -> Subscriber:
        """Return a subscriber; one without mappings is not remembered, so it may say with what it is paired."""
        return self.subscribers.get(address) or Subscriber(address, external_address)

    def stops_mapping(self, subscriber: Subscriber, protocol: Protocol, now: float) -> Limit | None:
        """Return the limit that a new mapping would exceed, if any."""
        settings = self._settings
        if _reached(len(self.subscribers), settings.limit_subscribers) and not subscriber.total:
            return Limit.SUBSCRIBERS
        if self.stops_by_quota(subscriber, protocol):
            return Limit.QUOTA
        if self._rate and not self._may_create(subscriber.address, now):
            return Limit.RATE
        if _reached(self.mappings, settings.limit_port_mappings):
            return Limit.MAPPINGS
        return self.stops_session()

    def stops_by_quota(self, subscriber: Subscriber, protocol: Protocol) -> bool:
        """Whether a subscriber has used up its quota of ports (RFC 6888 REQ-4, REQ-4B)."""
        in_all, of_protocol = self._settings.port_quota, self._settings.port_quotas[protocol]
        if in_all is not None and subscriber.total >= in_all:
            return True
        return of_protocol is not None and subscriber.mappings[protocol] >= of_protocol

    def stops_session(self) -> Limit | None:
        """Return the limit that a new session would exceed, if any."""
        return Limit.SESSIONS if _reached(self.sessions, self._settings.limit_sessions) else None

    def took_mapping(self, subscriber: Subscriber, protocol: Protocol, now: float) -> None:
        """Count a new mapping."""
        self.subscribers[subscriber.address] = subscriber
        subscriber.mappings[protocol] += 1
        self.mappings += 1
        if self._rate:
            rate = self._rates.get(subscriber.address)
            if rate is None:
                rate = _Rate(subscriber.address, TokenBucket(self._rate, self._burst, now))
                self._rates[subscriber.address] = rate
            rate.bucket.take(now)
            self._refilled.arm(rate, now)

    def gave_mapping(self, address: int, protocol: Protocol) -> None:
        """Count a mapping that ended; a subscriber without mappings is forgotten."""
        subscriber = self.subscribers[address]
        subscriber.mappings[protocol] -= 1
        self.mappings -= 1
        if not subscriber.total:
            del self.subscribers[address]

    def forget_rates(self, now: float) -> None:
        """Forget the buckets that are full again."""
        for rate in self._refilled.due(now):
            del self._rates[rate.address]

    @property
    def next_deadline(self) -> float | None:
        """When the next bucket is full again, or None."""
        return self._refilled.next_deadline

    def may_create_at(self, address: int) -> float:
        """Return when a subscriber's rate allows it the next mapping, or did."""
        rate = self._rates.get(address)
        return 0.0 if rate is None else rate.bucket.ready_at()

    def _may_create(self, address: int, now: float) -> bool:
        rate = self._rates.get(address)
        return rate is None or rate.bucket.has_token(now)


def _reached(value: int, limit: int | None) -> bool:
    return limit is not None and value >= limit
