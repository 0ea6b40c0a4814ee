"""What a NAT's mapping and filtering behaviour asks for, in plain dictionaries: the judge of whole gateways.

It shares nothing with the core but the words. Which port a new mapping gets is not its business: it is told what
was seen outside, and only says whether that could be. Endpoints are pairs of a dotted address and a port.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Endpoint = tuple[str, int]
Part = Endpoint | str | None
RANKS = {"eim": 0, "adm": 1, "edm": 2, "eif": 0, "adf": 1, "edf": 2, "off": 0, "address": 1, "endpoint": 2}


def part(remote: Endpoint, rank: int) -> Part:
    """Return the part of a remote endpoint that matters: nothing, its address, or all of it."""
    return (None, remote[0], remote)[rank]


@dataclass(eq=False)
class Session:
    """What a pair of rules serves: for TCP always one connection."""

    is_outbound: bool
    """Whether it is also what its internal endpoint uses toward that peer."""
    is_strangers: bool
    """Whether the outside opened it, and the inside has not answered."""
    number: int
    """The more, the newer."""


@dataclass(eq=False)
class Mapping:
    """An internal endpoint, the external one, and its sessions by as much of their peers as rules tell apart."""

    protocol: str
    internal: Endpoint
    first_remote: Endpoint
    external: Endpoint
    sessions: dict[Part, Session] = field(default_factory=dict)


@dataclass
class Behaviour:
    """A NAT with one external address and `ports` ports, which refuses silently."""

    mapping: int
    filtering: int
    overlapping: int
    limit_sessions: int | None
    ports: int
    rest: float
    mappings: list[Mapping] = field(default_factory=list)
    resting: list[tuple[float, Mapping]] = field(default_factory=list)
    made: int = 0
    """The number of sessions so far."""

    def told_apart(self, protocol: str) -> int:
        """Return how much of a remote endpoint the rules of a protocol match."""
        is_each_session = protocol == "tcp" or self.limit_sessions is not None
        return 2 if is_each_session else max(self.mapping, self.filtering)

    def outbound(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping that already serves packets from `internal` to `remote`, with a session for them."""
        key = part(remote, self.told_apart(protocol))
        own = [each for each in self.mappings if (each.protocol, each.internal) == (protocol, internal)]
        found = [each for each in own if key in each.sessions and each.sessions[key].is_outbound]
        assert len(found) <= 1
        return found[0] if found else None

    def mapping_for(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping that a new session from `internal` to `remote` has to use (RFC 4787 section 4.1)."""
        for each in self.mappings:
            is_own = (each.protocol, each.internal) == (protocol, internal)
            if is_own and part(each.first_remote, self.mapping) == part(remote, self.mapping):
                return each
        return None

    def behind(self, protocol: str, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the only mapping to which a packet from `remote` to `external` can belong."""
        found = [
            each for each in self.mappings if each.protocol == protocol and self._serves(each, external, remote)
        ]
        assert len(found) <= 1, "one external tuple serves two internal endpoints"
        return found[0] if found else None

    def lets_in(self, mapping: Mapping, remote: Endpoint) -> bool:
        """Whether a remote endpoint without a session may send to a mapping (RFC 4787 section 5)."""
        if self.filtering == 1:
            own = [peer for peer, session in mapping.sessions.items() if not session.is_strangers]
            return any(isinstance(peer, tuple) and peer[0] == remote[0] for peer in own)
        return self.filtering == 0

    def has_session_left(self) -> bool:
        """Whether there may be one session more, or one in place of a stranger's."""
        return self._sessions_left() > 0 or bool(self._strangers())

    def _sessions_left(self) -> float:
        return (self.limit_sessions or math.inf) - sum(len(mapping.sessions) for mapping in self.mappings)

    def _strangers(self) -> list[tuple[int, Mapping, Part]]:
        """Return strangers' sessions, oldest first: those that give way."""
        return sorted(
            (session.number, mapping, peer)
            for mapping in self.mappings
            for peer, session in mapping.sessions.items()
            if session.is_strangers
        )

    def free_ports(self, protocol: str, remote: Endpoint, now: float) -> set[int]:
        """Return the ports that a new mapping for `remote` may get: neither in use for the same, nor resting."""
        taken = [*self.mappings, *(mapping for ready_at, mapping in self.resting if ready_at > now)]
        toward = part(remote, self.overlapping)
        return set(range(1024, 1024 + self.ports)) - {
            each.external[1]
            for each in taken
            if each.protocol == protocol and part(each.first_remote, self.overlapping) == toward
        }

    def add(self, mapping: Mapping) -> None:
        """Take note of a mapping; its first session follows."""
        self.mappings.append(mapping)

    def join(self, mapping: Mapping, remote: Endpoint, *, is_from_inside: bool) -> None:
        """Take note that a packet passed between a mapping and a remote endpoint; not a reset from inside."""
        key = part(remote, self.told_apart(mapping.protocol))
        if key not in mapping.sessions:
            is_outbound = self.outbound(mapping.protocol, mapping.internal, remote) is None
            self.made += 1
            mapping.sessions[key] = Session(is_outbound, is_strangers=True, number=self.made)
        if is_from_inside:
            mapping.sessions[key].is_strangers = False
        if self._sessions_left() < 0:
            _, other, peer = self._strangers()[0]
            del other.sessions[peer]
            assert other.sessions, "a mapping of strangers alone"

    def closed(self, mapping: Mapping, remote: Endpoint, now: float) -> None:
        """Take note that a connection ended. With the inside's last one the mapping ends."""
        del mapping.sessions[remote]
        if all(session.is_strangers for session in mapping.sessions.values()):
            self.mappings.remove(mapping)
            self.resting.append((now + self.rest, mapping))

    def all_idle(self, but: tuple[Mapping, Endpoint] | None = None) -> None:
        """Take note that everything ended by being idle, for long, except one session."""
        kept, self.mappings, self.resting = self.mappings, [], []
        for mapping in kept if but else ():
            assert but is not None
            if mapping is but[0]:
                key = part(but[1], self.told_apart(mapping.protocol))
                mapping.sessions = {key: mapping.sessions[key]}
                self.mappings = [mapping]

    def rules(self) -> set[tuple[object, ...]]:
        """Return what the switch has to hold: table, match, and the new address and port."""
        return {rule for mapping in self.mappings if mapping.protocol != "icmp" for rule in self._rules(mapping)}

    def _rules(self, mapping: Mapping) -> list[tuple[object, ...]]:
        rules = []
        for peer, session in mapping.sessions.items():
            outbound = (2, self._match(mapping, mapping.internal, peer, "src", "dst"), mapping.external)
            inbound = (3, self._match(mapping, mapping.external, peer, "dst", "src"), mapping.internal)
            rules += [outbound, inbound] if session.is_outbound else [inbound]
        return rules

    def _match(self, mapping: Mapping, own: Endpoint, peer: Part, ours: str, theirs: str) -> frozenset[object]:
        name = mapping.protocol
        match: dict[str, object] = {"eth_type": 0x0800, "ip_proto": {"tcp": 6, "udp": 17}[name]}
        match |= {f"ipv4_{ours}": own[0], f"{name}_{ours}": own[1]}
        if isinstance(peer, tuple):
            match |= {f"ipv4_{theirs}": peer[0], f"{name}_{theirs}": peer[1]}
        elif peer is not None:
            match[f"ipv4_{theirs}"] = peer
        return frozenset(match.items())

    def _serves(self, mapping: Mapping, external: Endpoint, remote: Endpoint) -> bool:
        shared = part(mapping.first_remote, self.overlapping) == part(remote, self.overlapping)
        return mapping.external == external and shared
