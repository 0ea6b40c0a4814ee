"""The sessions of each external address with each destination, where there may be a limited number of them.

A NAT that shares its ports between destinations has room for as many connections to each of them as an address
has ports. Cloud providers document fewer. A session that a stranger has opened counts once the inside has answered
it, and is never refused: a stranger's packets must not stop what inside hosts want.
"""

from __future__ import annotations

from controller.nat.model import Endpoint, Flow, Protocol


class Destinations:
    """Counts sessions by protocol, external address and remote endpoint. Each step is O(1)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sessions: dict[tuple[Protocol, int, Endpoint], int] = {}

    def is_full(self, protocol: Protocol, address: int, remote: Endpoint) -> bool:
        """Whether an external address has all the sessions with a destination that it may have."""
        return self._sessions.get((protocol, address, remote), 0) >= self._most

    def add(self, flow: Flow) -> None:
        """Count a session."""
        key = _key(flow)
        self._sessions[key] = self._sessions.get(key, 0) + 1

    def remove(self, flow: Flow) -> None:
        """Count a session that ended, and forget a destination that has no other."""
        key = _key(flow)
        left = self._sessions[key] - 1
        if left:
            self._sessions[key] = left
        else:
            del self._sessions[key]


def _key(flow: Flow) -> tuple[Protocol, int, Endpoint]:
    return flow.mapping.protocol, flow.mapping.external.address, flow.peer
