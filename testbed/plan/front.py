"""The front of what can be had: addresses against refusals against lines of log (Vilfredo Pareto, 1896).

Each point is a NAT: a number of external addresses, and ports given one by one or in blocks of some size. A point
is on the front if no other is as good in everything and better in something. The rest of the settings stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.plan.chosen import Chosen
from testbed.plan.watching import Watched

BLOCKS = (64, 256, 1024)
"""The sizes of blocks that are tried besides single ports."""
STEPS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""The numbers of addresses that are tried, as parts of what the load in erlangs needs."""


@dataclass(frozen=True, slots=True)
class Point:
    """A NAT, and what it costs: addresses, refusals, and lines of log in a day."""

    addresses: int
    block: int | None
    refused_share: float
    lines: int

    def beats(self, other: Point) -> bool:
        """Whether it is as good in everything, and better in something."""
        mine, its = self.costs(), other.costs()
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))

    def costs(self) -> tuple[float, ...]:
        """What is to be small."""
        return self.addresses, self.refused_share, self.lines

    def as_json(self, *, is_best: bool) -> dict[str, Any]:
        """Return it as results have it."""
        return {
            "addresses": self.addresses,
            "block": self.block,
            "refused_share": self.refused_share,
            "log_lines_a_day": self.lines,
            "is_on_front": is_best,
        }


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats."""
    return [point for point in points if not any(other.beats(point) for other in points)]


def explored(chosen: Chosen, erlangs: dict[str, float], simulated: Callable[[Chosen], Watched]) -> list[Point]:
    """Return all points that were tried."""
    return [_point(nat, block, simulated(nat)) for nat, block in _nats(chosen, max(erlangs.values()))]


def _nats(chosen: Chosen, erlangs: float) -> Iterator[tuple[Chosen, int | None]]:
    of_each = chosen.settings.port_count
    least = erlangs / of_each
    numbers = sorted({max(1, min(254, round(step * least + 0.5))) for step in STEPS})
    for addresses, block in itertools.product(numbers, (None, *BLOCKS)):
        changes = {"external_addresses": addresses}
        if block is None:
            yield chosen.but(**changes, port_allocation_type="random", log="off"), None
        elif block <= of_each:
            yield chosen.but(**changes, port_allocation_type="blocks", port_set_size=block), block


def _point(nat: Chosen, block: int | None, seen: Watched) -> Point:
    kind = seen.log["mappings" if block is None else "blocks"]
    return Point(len(nat.settings.external_addresses), block, seen.tally.refused_share, kind["lines"])


def in_order(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return all points as results have them, with whether each is on the front."""
    best = front(points)
    return [point.as_json(is_best=point in best) for point in sorted(points, key=lambda each: each.costs())]
