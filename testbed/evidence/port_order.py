"""Whether external ports come in the order that a NAT declares, as far as a fresh pool can show it.

Random ports (RFC 6056, RFC 6888 REQ-15) cannot be predicted. So somebody bets on each port, by simple rules: the
next free one, the one before, the same step again, a step that grows, the next one with the bits reversed, for all
hosts together and for each host. A bet of a share of
what one has, at fair odds, is a game in which nobody can expect to win, however long it goes on. The chance to
multiply one's stake by N is 1/N at most (Ville 1939; Markov's inequality): if the bets win 10^10-fold, the ports
are not random, and an honest NAT has that bad luck once in 10^10 runs.

The odds are fair if no port is likelier than assumed. By `random` every free port is equally likely. By `search`
the NAT begins at a random port and takes the first free one from there, as Linux and Open vSwitch do: so a port is
the likelier, the more taken ones are before it. Nobody knows from outside which ports are free again. So only the
first half of a fresh pool counts, and only until a port comes a second time.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

MOST = 2048
"""The most ports that are looked at. An order that is not seen in these is none."""
POOL_SHARE = 0.5
HIDDEN = 2
"""Ports that may be taken at any time without being seen: by an attempt that is under way."""
SHARES = (0.9, 0.5)
"""Shares of the stake that are bet: the first wins fastest if all bets are won, the second if some are."""
RULES = ("next", "soon", "before", "same step", "growing step", "bits reversed")
MOST_NEAR = 0.5
"""The largest share of a pool that may count as near to a port."""
WIDE = 8
"""Ports in a row that one bet is on, since packets that leave together may be overtaken."""
MOST_GAIN = 10.0
"""Of all bets together, as a power of ten. Each protocol has its own, so a run's risk is below 1e-9."""
DRAWS = 1 << 16
"""Random numbers of a search. Where the ports are no power of two, some of these are one draw likelier."""


@dataclass(frozen=True, slots=True)
class Given:
    """A port as it was first seen in use: its external address, the port's place in the range, and the host."""

    address: str
    place: int
    host: str
    is_free_choice: bool = True
    """False if the host asked for this very port, or may have."""
    asked: int | None = None
    """The place of the host's own port, if that is in the range."""
    hidden: int = HIDDEN
    """The most ports that were taken then without being seen: for attempts that failed, or were under way."""
    beside: int = 0
    """The attempts that were under way together with this one: it may have overtaken any of them, or they it."""


class Taken:
    """The places of one address that are taken, each with a link to the next one up and down."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.places: set[int] = set()
        self._links: dict[int, dict[int, int]] = {1: {}, -1: {}}

    def take(self, place: int) -> None:
        """Take a place."""
        self.places.add(place)
        for step, links in self._links.items():
            links[place] = (place + step) % self.size

    def free_from(self, place: int, step: int = 1) -> int:
        """Return the first free place from one on, upward or downward. The links then lead there at once."""
        links, passed = self._links[step], []
        place %= self.size
        while place in links:
            passed.append(place)
            place = links[place]
        links.update(dict.fromkeys(passed, place))
        return place

    def chance(self, place: int, order: str, hidden: int) -> float:
        """Return how likely a free place is to be next, at most, if `hidden` others are taken as well."""
        if order == "random":
            return 1 / max(1, self.size - len(self.places) - hidden)
        row_before = (place - 1 - self.free_from(place - 1, -1)) % self.size
        return (row_before + 1 + hidden) * (1 / self.size + 1 / DRAWS)


def first_uses(given: Iterable[Given], size: int) -> list[Given]:
    """Return the uses of a fresh pool of `size` ports at each address, until they show no order any more."""
    used: dict[str, set[int]] = {}
    first: list[Given] = []
    for each in given:
        places = used.setdefault(each.address, set())
        if each.place in places or len(places) + each.hidden - HIDDEN >= size * POOL_SHARE or len(first) == MOST:
            break
        places.add(each.place)
        first.append(each)
    return first


def gain(given: Iterable[Given], size: int, order: str) -> float:
    """Return what all bets on these ports win together, as a power of ten."""
    pools: dict[str, Taken] = {}
    seen: dict[tuple[str, str], list[int]] = {}
    won = dict.fromkeys(itertools.product(("all", "each"), RULES, SHARES), 0.0)
    for each in given:
        pool = pools.setdefault(each.address, Taken(size))
        for among, host in (("all", ""), ("each", each.host)):
            before = seen.setdefault((each.address, host), [])
            for rule, places in _bets(before, pool).items() if before and each.is_free_choice else ():
                chance = sum(pool.chance(place, order, each.hidden) for place in places)
                for share in SHARES if 0 < chance < 1 else ():
                    paid = share / chance if each.place in places else 0.0
                    won[among, rule, share] += math.log10(1 - share + paid)
            before.append(each.place)
        pool.take(each.place)
    most = max(won.values())
    return most + math.log10(sum(10 ** (each - most) for each in won.values()) / len(won))


def reach(given: Sequence[Given], size: int, order: str) -> float:
    """Return what the bets would win if as many ports came one after the other, as a power of ten."""
    seen: Counter[str] = Counter()
    in_a_row = []
    for each in given:
        if each.is_free_choice:
            in_a_row.append(replace(each, place=seen[each.address], host=""))
            seen[each.address] += 1
    return gain(in_a_row, size, order)


def followed(given: Iterable[Given], size: int) -> tuple[int, int]:
    """Return how many ports come next, or nearly, after the highest one so far, and how many could tell.

    Ports of attempts that were under way together, and those that may be taken without being seen, may be in
    between. Where these are so many that half of the pool would be near, a port tells nothing.
    """
    highest: dict[str, int] = {}
    near = told = 0
    for each in given:
        before = highest.get(each.address)
        around = WIDE + each.beside
        if before is not None and 2 * around + each.hidden <= size * MOST_NEAR:
            told += 1
            near += -around <= each.place - before <= around + each.hidden
        highest[each.address] = each.place if before is None else max(before, each.place)
    return near, told


def kept(given: Iterable[Given]) -> list[bool]:
    """Return for each host's own port that was in the range and free whether the host was given it."""
    taken: set[tuple[str, int]] = set()
    found = []
    for each in given:
        if each.asked is not None and (each.address, each.asked) not in taken:
            found.append(each.place == each.asked)
        taken.add((each.address, each.place))
    return found


def blocks(given: Sequence[Given], size: int) -> tuple[int, int]:
    """Return the number of blocks of `size` ports that hosts have, and the number that their ports need."""
    ports = Counter((each.address, each.host) for each in given)
    had = {(each.address, each.host, each.place // size) for each in given}
    return len(had), sum(math.ceil(count / size) for count in ports.values())


def _bets(seen: Sequence[int], pool: Taken) -> dict[str, set[int]]:
    """Return the free places that each rule bets on, after those that were seen."""
    here = seen[-1]
    near = [pool.free_from(here + 1)]
    while len(near) < WIDE:
        near.append(pool.free_from(near[-1] + 1))
    again = {(2 * here - seen[-2]) % pool.size} if len(seen) > 1 else set()
    growing = {(3 * (here - seen[-2]) + seen[-3]) % pool.size} if len(seen) > 2 else set()
    mirrored = {_after_reversed(here, pool.size)}
    bets = near[:1], near, [pool.free_from(here - 1, -1)], again, growing, mirrored
    return {rule: set(places) - pool.places for rule, places in zip(RULES, bets, strict=True)}


def _after_reversed(place: int, size: int) -> int:
    """Return the place that follows if a counter's bits are read from the lowest to the highest."""
    bits = (size - 1).bit_length()
    count = _reversed(place, bits)
    while True:
        count = (count + 1) % (1 << bits)
        if (following := _reversed(count, bits)) < size:
            return following


def _reversed(number: int, bits: int) -> int:
    return int(f"{number:0{bits}b}"[::-1], 2)
