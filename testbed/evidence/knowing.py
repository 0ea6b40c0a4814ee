"""Whether a server knows of each connection that a client had: by the server's record, and by the wire outside.

A gateway can answer a SYN by itself, in the server's name. The client then has a connection, and the server never
knew. On the wire outside, no SYN has the sequence number of the client's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable

from testbed.evidence.witnesses import Syns, TcpWitness
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint

UNANSWERED = "unanswered"


class Knowing:
    """The connections of a run that no server knows of.

    `addresses` are those of the hosts whose wire is read, and `served` the endpoints at which servers record their
    clients.
    """

    def __init__(
        self,
        tcp: TcpWitness,
        sightings: Callable[[], list[Sighting]],
        addresses: Collection[str],
        served: Collection[Endpoint],
    ) -> None:
        self._tcp = tcp
        self._sightings = sightings
        self._addresses = addresses
        self._served = served
        self._answered: set[tuple[int, Endpoint]] = set()
        self._unanswered: set[int] = set()
        self._unknown: set[int] = set()
        self._compared = (0, 0)

    def settle(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Return the attempts, with the outcome `unanswered` for each connection whose SYN reached no server."""
        settled = list(attempts)
        if any(attempt.sequence is not None for attempt in settled) and self._tcp.is_there:
            lost = unknown(settled, self._tcp.syns(), self._addresses)
            settled = [
                dataclasses.replace(each, outcome=UNANSWERED) if each.nonce in lost else each for each in settled
            ]
            self._unanswered |= lost
        self._answered |= {
            (each.nonce, each.target)
            for each in settled
            if each.outcome == "established" and each.target in self._served
        }
        return settled

    def unanswered(self) -> set[int]:
        """Return the nonces of attempts that had a connection or an answer of which their server does not know."""
        sightings = self._sightings()
        if (compared := (len(sightings), len(self._answered))) != self._compared:
            known = {(seen.nonce, seen.target) for seen in sightings}
            self._compared, self._unknown = compared, {nonce for nonce, _ in self._answered - known}
        return self._unanswered | self._unknown


def unknown(attempts: Iterable[Attempt], syns: Syns, addresses: Collection[str]) -> set[int]:
    """Return the nonces of connections to these addresses that had no answer, and whose SYN did not arrive."""
    arrived = {(target, number) for (_, target), sent in syns.items() for number, _ in sent}
    return {
        attempt.nonce
        for attempt in attempts
        if attempt.sequence is not None
        and attempt.target[0] in addresses
        and (attempt.target, attempt.sequence) not in arrived
    }
