"""Scopes: which limit, and for whom. Packets stopped in one scope could use the same thing, if it were free."""

from __future__ import annotations

from typing import NamedTuple

from controller.nat.model import Endpoint, Limit, Mapping, Packet, Protocol
from controller.nat.pool import Freed
from controller.nat.settings import NatSettings
from controller.nat.subscribers import Subscriber


class Scope(NamedTuple):
    """A limit; whose it is (an external address or a subscriber, None for all); and of what."""

    limit: Limit
    subject: int | None = None
    protocol: Protocol | None = None
    destination: Endpoint | None = None
    subscriber: int | None = None


class Scopes:
    """Tells the scopes of shortages and of mappings."""

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._pool_limit = settings.pooling.limit

    def of_shortage(self, limit: Limit, packet: Packet, subscriber: Subscriber) -> Scope:
        """Return the scope in which a packet was stopped."""
        if limit is Limit.QUOTA:
            in_all = self._settings.port_quota is not None and subscriber.total >= self._settings.port_quota
            return Scope(limit, subscriber.address, None if in_all else packet.protocol)
        if limit is Limit.RATE:
            return Scope(limit, subscriber.address)
        if limit in (Limit.PORTS, Limit.POOL):
            return self._of_port(
                subscriber.external_address, packet.protocol, packet.destination, subscriber.address
            )
        return Scope(limit)

    def of_mapping(self, mapping: Mapping) -> list[Scope]:
        """Return the scopes in whose orders a mapping stands: MAPPINGS for whatever any mapping's end frees."""
        subscriber = mapping.internal.address
        scopes = [
            Scope(Limit.MAPPINGS),
            self.of_port(mapping),
        ]
        if self._settings.port_quota is not None:
            scopes.append(Scope(Limit.QUOTA, subscriber))
        if self._settings.port_quotas[mapping.protocol] is not None:
            scopes.append(Scope(Limit.QUOTA, subscriber, mapping.protocol))
        return scopes

    def of_port(self, mapping: Mapping) -> Scope:
        """Return the scope of those who could use a mapping's port."""
        return self._of_port(mapping.external.address, mapping.protocol, mapping.scope, mapping.internal.address)

    def place_of(self, mapping: Mapping) -> tuple[Protocol, Endpoint, Endpoint]:
        """Return what tells a mapping's port from all others: protocol, external endpoint, destination."""
        return (mapping.protocol, mapping.external, self._settings.overlapping.part(mapping.scope))

    def of_freed(self, protocol: Protocol, freed: Freed) -> Scope:
        """Return the scope of those who can use a port that is free again, where every subscriber may."""
        address = freed.external.address if self._pool_limit is Limit.PORTS else None
        return Scope(self._pool_limit, address, protocol, freed.destination)

    def _of_port(self, address: int | None, protocol: Protocol, remote: Endpoint, subscriber: int) -> Scope:
        return Scope(
            self._pool_limit,
            address if self._pool_limit is Limit.PORTS else None,
            protocol,
            self._settings.overlapping.part(remote),
            subscriber if self._settings.allocator.by_subscriber else None,
        )
