"""The external ports of an address: one range, or several (RFC 8512 port-set-restrict, RFC 7597 section 5.1).

`Ports` are a sequence of numbers, the lowest first. A port's *place* is its index there. One range is a `range`.
Several ranges are a `PortSet`, which has a table of the port at each place, and of the place of each port. So
either way a look-up takes constant time, and a user of ports need not know which it is.

`Blocks` divides ports for block allocation. The ports of a block are consecutive numbers, so that one entry of a
log is enough for it (RFC 7422): no block reaches from one range into the next.
"""

from __future__ import annotations

import functools
import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, overload

NUMBERS = 1 << 16
"""The port numbers that there are."""


class PortSet(Sequence[int]):
    """The ports of several ranges, which are in ascending order and do not touch."""

    __slots__ = ("_places", "_ports", "ranges")

    def __init__(self, ranges: tuple[range, ...]) -> None:
        self.ranges = ranges
        self._ports = array("H", itertools.chain(*ranges))
        self._places = array("H", bytes(2 * NUMBERS))  # one more than the place; 0 for a port that is not there
        for place, port in enumerate(self._ports, start=1):
            self._places[port] = place

    def __len__(self) -> int:
        return len(self._ports)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ports)

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and 0 <= port < NUMBERS and self._places[port] > 0

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        """Return the port at a place."""
        return self._ports[place]

    def index(self, port: int, start: int = 0, stop: int = NUMBERS) -> int:
        """Return the place of a port. Raises ValueError if it is not there."""
        place = self._places[port] - 1 if port in self else -1
        if not start <= place < stop:
            raise ValueError(f"{port} is not one of the ports")
        return place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __repr__(self) -> str:
        return f"PortSet({self.ranges})"


Ports: TypeAlias = range | PortSet


def ranges_of(ports: Ports) -> tuple[range, ...]:
    """Return the ranges of ports, the lowest first."""
    return (ports,) if isinstance(ports, range) else ports.ranges


def united(ranges: Iterable[range], *, without: Iterable[range] = ()) -> Ports:
    """Return the ports that are in one of the ranges, and in none of those `without`."""
    belongs = bytearray(NUMBERS)
    for mark, marked in ((b"\1", ranges), (b"\0", without)):
        for each in marked:
            belongs[each.start : each.stop] = mark * len(each)
    found, start = [], belongs.find(1)
    while start >= 0:
        end = belongs.find(0, start)
        end = NUMBERS if end < 0 else end
        found.append(range(start, end))
        start = belongs.find(1, end)
    return found[0] if len(found) == 1 else PortSet(tuple(found))


class Blocks:
    """Ports divided into blocks of `size` ports. The last block of each range is shorter where it has to be."""

    __slots__ = ("_firsts", "_ranges", "_size", "_starts")

    def __init__(self, ports: Ports, size: int) -> None:
        self._ranges, self._size = ranges_of(ports), size
        self._starts = [each.start for each in self._ranges]
        # The number of each range's first block, and the number of all blocks.
        self._firsts = [*itertools.accumulate((-(-len(each) // size) for each in self._ranges), initial=0)]

    def __len__(self) -> int:
        return self._firsts[-1]

    def __iter__(self) -> Iterator[range]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> range:
        """Return the ports of a block."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = bisect_right(self._firsts, number) - 1
        at = (number - self._firsts[place]) * self._size
        return self._ranges[place][at : at + self._size]

    def number(self, port: int) -> int:
        """Return the number of a port's block."""
        place = bisect_right(self._starts, port) - 1
        return self._firsts[place] + (port - self._starts[place]) // self._size


@functools.lru_cache(maxsize=8)
def divided(ports: Ports, size: int) -> Blocks:
    """Return the blocks of ports. They are made once, since where ports overlap each destination asks for them."""
    return Blocks(ports, size)
