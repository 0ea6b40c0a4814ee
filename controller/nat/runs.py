"""Runs of consecutive ports of one external address, given and taken back: a buddy system.

A run has `unit` ports, or twice as many, or twice as many again. A run that is larger than what is asked for is
halved, and two halves that are both free are one run again. So the ports of a run need one entry in a log, and
what is given back can be given as a large run later. Each step takes at most as many turns as runs can be halved.
"""

from __future__ import annotations

from controller.nat.port_set import Ports, ranges_of

Place = tuple[int, int]
"""The range of the ports, by its number, and the number of a run's first unit in it."""


class Runs:
    """The free ports of an address, in runs. Ports at the end of a range that fill no unit are never given."""

    def __init__(self, ports: Ports, unit: int) -> None:
        self._ranges = ranges_of(ports)
        self._unit = unit
        self._units = [len(each) // unit for each in self._ranges]
        orders = max(self._units).bit_length()
        # The runs of each order, the number of times that a unit was doubled. The last one is the next to go.
        self._free: list[dict[Place, None]] = [{} for _ in range(orders)]
        for number, units in reversed([*enumerate(self._units)]):
            for place, order in reversed([*_halved(units)]):
                self._free[order][number, place] = None

    def __len__(self) -> int:
        """Return the number of free ports."""
        return sum(len(runs) * (self._unit << order) for order, runs in enumerate(self._free))

    def take(self, size: int) -> range | None:
        """Take a run of `size` ports, or return None if there is none."""
        order = wanted = (size // self._unit).bit_length() - 1
        while order < len(self._free) and not self._free[order]:
            order += 1
        if order >= len(self._free):
            return None
        (number, place), _ = self._free[order].popitem()
        while order > wanted:
            order -= 1
            self._free[order][number, place + (1 << order)] = None
        at = place * self._unit
        return self._ranges[number][at : at + size]

    def give(self, run: range) -> None:
        """Take back a run that was given."""
        number = next(number for number, each in enumerate(self._ranges) if run.start in each)
        place = (run.start - self._ranges[number].start) // self._unit
        order = (len(run) // self._unit).bit_length() - 1
        while (buddy := (number, place ^ (1 << order))) in self._free[order]:
            del self._free[order][buddy]
            place &= ~(1 << order)
            order += 1
        self._free[order][number, place] = None


def _halved(units: int) -> list[tuple[int, int]]:
    """Return the largest runs that a number of units is made of: the first unit of each, and its order."""
    runs, place = [], 0
    for order in reversed(range(units.bit_length())):
        if units >> order & 1:
            runs.append((place, order))
            place += 1 << order
    return runs
