"""A volley: datagrams that fill a NAT, each from a source port of its own, and which of them come through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scenarios.shared.models import source_ports
from testbed.api import Attempt, Endpoint, Experiment, Opening

MOST_UNDER_WAY = 256


@dataclass(frozen=True, slots=True)
class Volley:
    """Attempts in their order, each one datagram."""

    own: list[int]
    """The source port of each, which its host chose."""
    attempts: list[Attempt]
    served: list[bool]
    """Whether each came through, translated, and from an external endpoint that no other had."""

    @classmethod
    def fire(cls, x: Experiment[Any], attempts: int, ports: range) -> Volley:
        """Make `attempts` attempts, the clients in turn, from source ports that the seed draws out of `ports`.

        One attempt for each 128 external ports is under way at once, so that their order means something. Any of
        these may come first. So the first attempts, as many as there are external ports, are over before the next
        begins: none of the others takes a port of theirs, or is refused in their place.
        """
        drawn = source_ports.draw(clients=x.parameters.clients, attempts=attempts, ports=ports, seed=x.lab.seed)
        volleys, external = x.lab.volley(), x.settings.capacity
        openings = [
            Opening(number, client, volleys.target, port) for number, (client, port) in enumerate(drawn, start=1)
        ]
        made: list[Attempt] = []
        with x.phase("fill"):
            for part in (openings[:external], openings[external:]):
                made += volleys.fire(
                    part,
                    patience=x.parameters.patience,
                    window=min(MOST_UNDER_WAY, max(1, external // 128)),
                    progress=partial(lambda before, done: x.progress(before + done, attempts), len(made)),
                )
        leaked, shared = x.judge.leaks()[1], x.judge.shared()
        served = [
            each.outcome == "established" and each.source not in leaked and each.nonce not in shared
            for each in made
        ]
        return cls([port for _, port in drawn], made, served)

    @property
    def refused(self) -> list[Attempt]:
        """The attempts that did not come through."""
        return [each for each, came in zip(self.attempts, self.served, strict=True) if not came]

    @property
    def seen(self) -> list[Endpoint]:
        """The external endpoints of the attempts that came through."""
        return [each.seen for each, came in zip(self.attempts, self.served, strict=True) if came]

    def kept(self, ports: Sequence[int]) -> list[bool]:
        """Return whether attempts kept their own source ports from a NAT with these ports, where they could."""
        given = [each.seen[1] if came else None for each, came in zip(self.attempts, self.served, strict=True)]
        return source_ports.kept(self.own, given, ports)
