"""The scenario's side of volleys: single datagrams from the clients to a server that does not answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import (
    ANSWER_WITHIN_S,
    LONGEST_ROUND_S,
    WORST_RATE_S,
    Progress,
    TrafficError,
    Worker,
    next_nonce,
    raise_open_files,
)
from testbed.traffic.records import Attempt, Opening, Sent, Sighting
from testbed.traffic.wire import Endpoint


class Volleys:
    """A worker that has both ends of the datagrams: the clients' sockets and the server's."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        hosts: Sequence[str],
        target: Endpoint,
        server: str,
        *,
        rate: float | None = None,
    ) -> None:
        """Start the worker, which listens at the target. `hosts` are the clients' network namespaces in order.

        If there is a `rate`, no more datagrams leave in a second.
        """
        raise_open_files()
        self._hosts, self._rate = hosts, rate
        self._worker = Worker(supervisor, "volley", "volley", folder, server, target[0], str(target[1]))
        self._worker.read()
        self.target = target

    def fire(
        self, openings: Sequence[Opening], *, patience: float, window: int, progress: Progress
    ) -> list[Attempt]:
        """Send one datagram for each of these attempts, in their order, `window` of them under way at once.

        An attempt is established if the server saw it. Its `seen` is the endpoint that the server saw.
        """
        planned = [
            (each.number, next_nonce(netns), netns, each.target, each.source_port)
            for each in openings
            for netns in [self._hosts[each.client]]
        ]
        rows = self._ask(
            {"do": "fire", "attempts": planned, "patience": patience, "window": window, "rate": self._rate},
            len(openings) / min(WORST_RATE_S, self._rate or WORST_RATE_S) + patience,
            progress,
        )
        return [Attempt.from_row(row) for row in rows]

    def transfer(self, *, size: int, hosts: Sequence[str]) -> list[Sent]:
        """Carry out a transfer on the flow of the last attempt that came, in datagrams of `size` bytes.

        Shorter ones follow for `hosts`, by their network namespaces.
        """
        order = {"do": "transfer", "size": size, "hosts": list(hosts)}
        rows = self._ask(order, LONGEST_ROUND_S, lambda done: None)
        return [Sent("udp", Attempt.from_row(row), *seen) for row, *seen in rows]

    def arrived(self) -> dict[int, int]:
        """Return the bytes of each transfer that arrived as they were sent, by the client's nonce."""
        return dict(self._ask({"do": "arrived"}, 0.0, lambda done: None))

    def sightings(self) -> list[Sighting]:
        """Return the clients that the server has seen.

        An endpoint counts as in use until now: idle timers are longer than a volley, so no other client may have
        it.
        """
        now = time.monotonic()
        seen = self._ask({"do": "report"}, 0.0, lambda done: None)
        return [Sighting(nonce, address, port, at, now, self.target, "udp") for nonce, address, port, at in seen]

    def _ask(self, order: dict[str, Any], within: float, progress: Progress) -> list[Any]:
        deadline, done = time.monotonic() + patient(within + ANSWER_WITHIN_S), 0
        self._worker.order(**order)
        while time.monotonic() < deadline:
            for record in self._worker.read():
                if "answer" in record:
                    answer: list[Any] = record["answer"]
                    return answer
                progress(record["done"])
                if record["done"] > done:
                    deadline, done = time.monotonic() + patient(within + ANSWER_WITHIN_S), record["done"]
        raise TrafficError(f"the traffic did not move for {patient(within + ANSWER_WITHIN_S):.0f} s")
