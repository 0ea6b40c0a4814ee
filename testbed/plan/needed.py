"""What a target needs: the least ports and the least addresses that refuse no more than a share of the attempts.

Each number is tried by simulating the NAT with it, with the same attempts. The search begins a little above the
load in erlangs, takes half as much again or less from there, and then narrows down. Ports are found to one in a
hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.settings import MOST_PORTS
from testbed.plan.chosen import Chosen

MOST_ADDRESSES = 254
PRECISION = 0.01

Simulated = Callable[[Chosen], float]
"""Returns the share of attempts that a NAT refuses."""


class Search:
    """The least number from 1 to `most` that meets a target, by trying some. What is tried is kept."""

    def __init__(self, refused_by: Callable[[int], float], target: float, most: int, precision: float) -> None:
        self._refused_by, self._target, self._most, self._precision = refused_by, target, most, precision
        self.tried: dict[int, float] = {}

    def meets(self, number: int) -> bool:
        """Whether a number meets the target."""
        if number not in self.tried:
            self.tried[number] = self._refused_by(number)
        return self.tried[number] <= self._target

    def least(self, guess: int) -> int | None:
        """Return the least number, or None if the greatest does not meet the target."""
        high = low = min(max(1, guess), self._most)
        if self.meets(high):
            while low > 1 and self.meets(low):
                high, low = low, max(1, int(low / 1.5))
            if self.meets(low):
                return low
        elif not self.meets(self._most):
            return None
        else:
            while not self.meets(high):
                low, high = high, min(self._most, int(high * 1.5) + 1)
        while high - low > max(1, self._precision * high):
            middle = (low + high) // 2
            low, high = (low, middle) if self.meets(middle) else (middle, high)
        return high


def needed(chosen: Chosen, target: float, erlangs: dict[str, float], simulated: Simulated) -> dict[str, Any]:
    """Return the ports of each address that a target needs, and the addresses with the ports that there are.

    `erlangs` is the load of each protocol, where the search begins.
    """
    addresses = len(chosen.settings.external_addresses)
    most = max(erlangs.values())
    ports = Search(lambda number: simulated(chosen.but(ports=number)), target, MOST_PORTS, PRECISION)
    by_ports = ports.least(round(1.05 * most / addresses) + 50)
    of_each = chosen.settings.capacity_of_address
    pool = Search(lambda number: simulated(chosen.but(external_addresses=number)), target, MOST_ADDRESSES, 0)
    by_addresses = pool.least(round(1.05 * most / of_each + 0.5))
    return {
        "target": target,
        "ports": by_ports,
        "addresses": by_addresses,
        "tried": [
            *(_row(number, addresses, share) for number, share in sorted(ports.tried.items())),
            *(_row(of_each, number, share) for number, share in sorted(pool.tried.items())),
        ],
    }


def _row(ports: int, addresses: int, share: float) -> dict[str, Any]:
    return {"ports": ports, "addresses": addresses, "refused_share": share}
