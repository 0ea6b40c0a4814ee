"""How Linux searches for a free port, and what that predicts: it refuses long before its range is full.

The kernel (`nf_nat_l4proto_unique_tuple` in net/netfilter/nf_nat_core.c, read in Linux 6.6) does not try the whole
range, which could take too long:

- If the source port itself is in the range and is free, the connection keeps it. (Not with nftables' flag
`random`.)
- Otherwise the kernel draws an offset of 16 bits at random, and tries 128 consecutive ports from there on, or the
  whole range if it is no larger. If none is free, it draws another offset and tries 64 ports, then 32, 16 and 8.
- After these 248 tries the packet goes on with a port that is taken, and is dropped when its entry collides with
the
  other's.

Toward one destination a port is either free or taken, so a row of bytes stands for the range. `simulate` makes
connections in it one by one.

The offset is a number of 16 bits that is counted upward and taken modulo the size of the range. So the lowest
ports are a little more likely as a start, unless the size is a power of two. Where the count passes 65,535, a
search goes on at the first port of the range.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

LONGEST_ROUND = 128
"""The most ports that one round tries (NF_NAT_MAX_ATTEMPTS)."""
SHORTEST_TO_HALVE = 16
OFFSETS = 1 << 16

FREE, TAKEN = 0, 1


def rounds(size: int, longest: int = LONGEST_ROUND) -> list[int]:
    """Return the number of ports that each round of a search tries in a range of `size` ports."""
    tries = [min(size, longest)]
    while tries[-1] < size and tries[-1] >= SHORTEST_TO_HALVE:
        tries.append(tries[-1] // 2)
    return tries


class PortRange:
    """The ports of a range, free or taken toward one destination, and the search for a free one."""

    def __init__(
        self, ports: Sequence[int], rng: random.Random, *, keeps: bool, longest: int = LONGEST_ROUND
    ) -> None:
        """Begin with all ports free.

        `keeps` is whether the source port itself is tried first. `longest` is the most tries of the first round.
        """
        self._ports = ports
        self._rng = rng
        self._keeps = keeps
        self._rounds = rounds(len(ports), longest)
        self._row = bytearray(len(ports))

    def connect(self, source_port: int) -> bool:
        """Take a port for a connection from `source_port`, and return whether the search found one."""
        if self._keeps and source_port in self._ports:
            place = self._ports.index(source_port)
            if self._row[place] == FREE:
                self._row[place] = TAKEN
                return True
        return any(self._search(tries) for tries in self._rounds)

    def _search(self, tries: int) -> bool:
        for start, stop in stretches(self._rng.getrandbits(16), tries, len(self._ports)):
            found = self._row.find(FREE, start, stop)
            if found >= 0:
                self._row[found] = TAKEN
                return True
        return False


def stretches(offset: int, tries: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a range that a round tries in turn: the first place, and the place after the last."""
    while tries:
        place = offset % size
        length = min(tries, size - place, OFFSETS - offset)
        yield place, place + length
        tries -= length
        offset = (offset + length) % OFFSETS


def simulate(
    sources: Sequence[int], ports: Sequence[int], rng: random.Random, *, keeps: bool, longest: int = LONGEST_ROUND
) -> list[bool]:
    """Return for each connection whether it gets a port, given the source ports in order. None ever ends."""
    taken = PortRange(ports, rng, keeps=keeps, longest=longest)
    return [taken.connect(source) for source in sources]
