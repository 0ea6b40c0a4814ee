"""A volley: datagrams that fill a NAT, each from a source port of its own, and which of them come through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testbed.api import Attempt, Endpoint, Experiment, Opening

MOST_UNDER_WAY = 256


@dataclass(frozen=True, slots=True)
class Volley:
    """Attempts in their order, each one datagram."""

    attempts: list[Attempt]
    served: list[bool]
    """Whether each came through, translated, and from an external endpoint that no other had."""

    @classmethod
    def fire(cls, drawn: Sequence[tuple[int, int]], x: Experiment[Any]) -> Volley:
        """Make an attempt for each client (from 0) and source port.

        One attempt for each 128 ports is under way at once, so that their order means something. Any of these may
        come first. So the first attempts, as many as there are ports, are over before the next begins: none of the
        others takes a port of theirs, or is refused in their place.
        """
        volleys, ports = x.lab.volley(), x.settings.ports
        openings = [
            Opening(number, client, volleys.target, port) for number, (client, port) in enumerate(drawn, start=1)
        ]
        attempts: list[Attempt] = []
        with x.phase("fill"):
            for part in (openings[:ports], openings[ports:]):
                before = len(attempts)
                attempts += volleys.fire(
                    part,
                    patience=x.parameters.patience,
                    window=min(MOST_UNDER_WAY, max(1, ports // 128)),
                    progress=lambda done, before=before: x.progress(before + done, len(openings)),  # type: ignore[misc]
                )
        leaked, shared = x.judge.leaks()[1], x.judge.shared()
        served = [
            each.outcome == "established" and each.source not in leaked and each.nonce not in shared
            for each in attempts
        ]
        return cls(attempts, served)

    @property
    def refused(self) -> list[Attempt]:
        """The attempts that did not come through."""
        return [each for each, came in zip(self.attempts, self.served, strict=True) if not came]

    @property
    def seen(self) -> list[Endpoint | None]:
        """The external endpoint of each attempt; None of a refused one."""
        return [each.seen if came else None for each, came in zip(self.attempts, self.served, strict=True)]
