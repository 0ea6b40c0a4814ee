"""Scopes: a limit and what it applies to. Packets stopped in one scope wait for the same thing to become free."""

from __future__ import annotations

from typing import NamedTuple

from controller.nat.model import PARTS, Dependence, Endpoint, Flow, Limit, Mapping, Packet, Protocol
from controller.nat.pool import Freed
from controller.nat.settings import NatSettings
from controller.nat.subscribers import Subscriber


class Scope(NamedTuple):
    """A limit, and what it applies to. `subject` is an external address or a subscriber, or None for all."""

    limit: Limit
    subject: int | None = None
    protocol: Protocol | None = None
    destination: Endpoint | None = None
    subscriber: int | None = None


ANY_MAPPING = Scope(Limit.MAPPINGS)


class Scopes:
    """Finds the scopes of shortages, mappings and ports, as the settings have them."""

    def __init__(self, settings: NatSettings) -> None:
        self._pool_limit = settings.pool_limit
        self._by_address = self._pool_limit is Limit.PORTS
        self._has_own = settings.own_ports is not None
        self._by_subscriber = settings.is_by_subscriber
        self._destination = {protocol: PARTS[settings.overlaps(protocol)] for protocol in Protocol}
        self._port_quota, self._port_quotas = settings.port_quota, settings.port_quotas
        # A mapping of several destinations need not make room for one of them.
        self._is_of_one_destination = (
            settings.limit_sessions_per_destination is not None and settings.mapping is Dependence.ADDRESS_AND_PORT
        )

    def of_shortage(self, limit: Limit, packet: Packet, subscriber: Subscriber) -> Scope:
        """Return the scope in which a packet was stopped."""
        if limit is Limit.QUOTA:
            in_all = self._port_quota is not None and subscriber.total >= self._port_quota
            return Scope(limit, subscriber.address, None if in_all else packet.protocol)
        if limit is Limit.RATE:
            return Scope(limit, subscriber.address)
        if limit is self._pool_limit:
            return self._of_port(
                subscriber.external_address, packet.protocol, packet.destination, subscriber.address
            )
        if limit is Limit.DESTINATION:
            address = subscriber.external_address if self._keeps_to_one else None
            return Scope(limit, address, packet.protocol, packet.destination)
        return Scope(limit)

    def of_session(self, flow: Flow) -> tuple[Scope, ...]:
        """Return the scopes of the packets that want a session with the same destination.

        Where a new mapping may use any address, one of its own stands for all of them.
        """
        address, protocol = flow.mapping.external.address, flow.mapping.protocol
        of_address = Scope(Limit.DESTINATION, address, protocol, flow.peer)
        return (of_address,) if self._keeps_to_one else (of_address, of_address._replace(subject=None))

    def of_mapping(self, mapping: Mapping) -> list[Scope]:
        """Return the scopes in whose orders a mapping stands.

        The first is MAPPINGS, for what the end of any mapping frees. Then come that of its port, and those of its
        quotas and its destination.
        """
        subscriber = mapping.internal.address
        of_port = self._of_port(mapping.external.address, mapping.protocol, mapping.toward, subscriber)
        scopes = [ANY_MAPPING, of_port]
        if self._port_quota is not None:
            scopes.append(Scope(Limit.QUOTA, subscriber))
        if self._port_quotas[mapping.protocol] is not None:
            scopes.append(Scope(Limit.QUOTA, subscriber, mapping.protocol))
        if self._is_of_one_destination:
            address = mapping.external.address if self._keeps_to_one else None
            scopes.append(Scope(Limit.DESTINATION, address, mapping.protocol, mapping.toward))
        return scopes

    @property
    def _keeps_to_one(self) -> bool:
        """Whether all mappings of a subscriber have one external address."""
        return self._by_address or self._has_own

    def of_freed(self, protocol: Protocol, freed: Freed) -> Scope:
        """Return the scope of the packets that can use a port that is free again, where all subscribers may."""
        address = freed.external.address if self._by_address else None
        return Scope(self._pool_limit, address, protocol, freed.destination)

    def _of_port(self, address: int | None, protocol: Protocol, remote: Endpoint, subscriber: int) -> Scope:
        subject = subscriber if self._has_own else address if self._by_address else None
        return Scope(
            self._pool_limit,
            subject,
            protocol,
            self._destination[protocol](remote),
            subscriber if self._by_subscriber else None,
        )
