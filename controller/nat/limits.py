"""The configured ceilings, and the order in which they are checked.

    1  SUBSCRIBERS   limit_subscribers, for a subscriber without mappings
    2  QUOTA         port_quota, then that of the protocol
    3  RATE          new_mapping_rate_per_subscriber
    4  MAPPINGS      limit_port_mappings
    5  SESSIONS      limit_sessions
    6  DESTINATION   limit_sessions_per_destination, in `destinations.py`: another address may have room
       PORTS, POOL   in `pool.py`: what remains is to find a port
       RESERVATION, SUBSCRIBER_PORTS   the same, where each subscriber has ports of its own: `own_ports.py`
    7  FLOW_TABLE    the switch refuses a rule afterwards, and the mapping is undone

The order goes from what concerns one subscriber to what concerns all, so that no subscriber is blamed for what
another used up. No RFC gives an order. A new session of an existing mapping meets SESSIONS,
DESTINATION and FLOW_TABLE only.
The first limit that is hit refuses the packet, and only that limit counts it.
"""

from __future__ import annotations

import math

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
    """The subscribers, and what is in use of each limit."""

    def __init__(self, settings: NatSettings) -> None:
        self._most_subscribers = _most(settings.limit_subscribers)
        self._most_mappings = _most(settings.limit_port_mappings)
        self.most_sessions = _most(settings.limit_sessions)
        self._quota = _most(settings.port_quota)
        self._quotas = {protocol: _most(quota) for protocol, quota in settings.port_quotas.items()}
        self.subscribers: dict[int, Subscriber] = {}
        self.mappings = 0
        self.sessions = 0
        rate = settings.new_mapping_rate_per_subscriber
        self._rate = rate or 0.0
        self._burst = max(1.0, self._rate)
        self._rates: dict[int, _Rate] = {}
        self._refilled: TimerQueue[_Rate] = TimerQueue(self._burst / rate if rate else 0.0)

    def adopt(self, other: Limits) -> None:
        """Take over what is in use. By another rate, each subscriber begins with all that it allows at once."""
        self.subscribers, self.mappings, self.sessions = other.subscribers, other.mappings, other.sessions
        if self._rate == other._rate:
            self._rates, self._refilled = other._rates, other._refilled

    def stops_mapping(self, subscriber: Subscriber, protocol: Protocol, now: float) -> Limit | None:
        """Return the limit that a new mapping would exceed, if any."""
        if len(self.subscribers) >= self._most_subscribers and not subscriber.total:
            return Limit.SUBSCRIBERS
        if subscriber.total >= self._quota or subscriber.mappings[protocol] >= self._quotas[protocol]:
            return Limit.QUOTA  # RFC 6888 REQ-4, REQ-4B
        if self._rate and not self._may_create(subscriber.address, now):
            return Limit.RATE
        if self.mappings >= self._most_mappings:
            return Limit.MAPPINGS
        return self.stops_session()

    def stops_session(self) -> Limit | None:
        """Return the limit that a new session would exceed, if any."""
        return Limit.SESSIONS if self.sessions >= self.most_sessions else None

    def took_mapping(self, subscriber: Subscriber, protocol: Protocol, now: float) -> None:
        """Count a new mapping of a subscriber."""
        self.subscribers[subscriber.address] = subscriber
        subscriber.mappings[protocol] += 1
        subscriber.total += 1
        self.mappings += 1
        if self._rate:
            rate = self._rates.get(subscriber.address)
            if rate is None:
                rate = _Rate(subscriber.address, TokenBucket(self._rate, self._burst, now))
                self._rates[subscriber.address] = rate
            rate.bucket.take(now)
            self._refilled.arm(rate, now)

    def gave_mapping(self, address: int, protocol: Protocol) -> None:
        """Count a mapping that ended, and forget a subscriber that has no other."""
        subscriber = self.subscribers[address]
        subscriber.mappings[protocol] -= 1
        subscriber.total -= 1
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
        """Return when a subscriber's rate allows its next mapping, or has allowed it since."""
        rate = self._rates.get(address)
        return 0.0 if rate is None else rate.bucket.ready_at()

    def _may_create(self, address: int, now: float) -> bool:
        rate = self._rates.get(address)
        return rate is None or rate.bucket.has_token(now)


def _most(limit: int | None) -> float:
    return math.inf if limit is None else limit
