"""Whether two peers behind two NATs reach each other by UDP hole punching, by RFC 4787's definitions (RFC 5128).

Each NAT is a table: the part of a destination that a mapping depends on, and the remote endpoints that each
external endpoint has sent to. The peers do what those of the scenario do. Nothing is lost, and each NAT has one
external address.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

Endpoint = tuple[str, int]
Behaviour = tuple[str, str]
"""How a NAT maps and filters, such as `edm` and `eif`."""

SERVER: Endpoint = ("server", 1)
ORDERS = (((0,), (1,)), ((1,), (0,)), ((0, 1),))
"""Who sends first, alice (0) or bob (1); or both send before anything arrives."""
ROUNDS = 3
"""A greeting and its answer, from the endpoint that the server saw, and then from those that these have shown."""


@dataclass
class _Nat:
    name: str
    mapping: str
    filtering: str
    mappings: dict[tuple[str | int, ...], Endpoint] = field(default_factory=dict)
    sent_to: defaultdict[Endpoint, set[Endpoint]] = field(default_factory=lambda: defaultdict(set))

    def send(self, to: Endpoint) -> Endpoint:
        """Return the external endpoint through which the peer's packet goes to a remote endpoint."""
        external = self.mappings.setdefault(_part(self.mapping, to), (self.name, len(self.mappings)))
        self.sent_to[external].add(to)
        return external

    def lets_in(self, source: Endpoint, to: Endpoint) -> bool:
        """Return whether a packet from a remote endpoint to an external one reaches the peer.

        The answer leaves by the external endpoint that the packet came to, unless the peer has a mapping for the
        sender already.
        """
        known = {_part(self.filtering, each) for each in self.sent_to.get(to, ())}
        if _part(self.filtering, source) not in known:
            return False
        self.mappings.setdefault(_part(self.mapping, source), to)
        return True


def _part(behaviour: str, remote: Endpoint) -> tuple[str | int, ...]:
    """Return the part of a remote endpoint that a behaviour depends on: nothing, its address, or both."""
    return remote[: ("ei", "ad", "ed").index(behaviour[:2])]


def outcomes(alice: Behaviour, bob: Behaviour) -> set[tuple[bool, bool]]:
    """Return whether alice gets bob's answer to a greeting, and bob alice's: more than one pair if a race decides.

    Where a NAT answers a stranger by the endpoint that it came to, and has another for whom the peer has sent to
    before, it matters whose first greeting passes which NAT first.
    """
    return {_met([_Nat("alice", *alice), _Nat("bob", *bob)], order) for order in ORDERS}


def _met(nats: list[_Nat], order: Sequence[Sequence[int]]) -> tuple[bool, bool]:
    seen = [nat.send(SERVER) for nat in nats]
    greeted, found = [{seen[1]}, {seen[0]}], [False, False]
    for _, together in itertools.product(range(ROUNDS), order):
        sent = [(mine, to, nats[mine].send(to)) for mine in together for to in sorted(greeted[mine])]
        for mine, to, source in sent:
            theirs = 1 - mine
            if nats[theirs].lets_in(source, to):
                greeted[theirs].add(source)
                found[mine] |= nats[mine].lets_in(nats[theirs].send(source), source)
    return found[0], found[1]
