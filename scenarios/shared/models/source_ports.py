"""The source ports of attempts, and whether a NAT keeps them, as some NATs do where they can."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence


def read(text: str) -> range:
    """Return the ports of a range like `32768-60999`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 65535:
        raise ValueError("it should be like 32768-60999")
    return range(int(found[1]), int(found[2]) + 1)


def draw(*, clients: int, attempts: int, ports: range, seed: int) -> list[tuple[int, int]]:
    """Return the client (from 0) and the source port of each attempt: clients in turn, and no pair twice."""
    rng = random.Random(seed)
    own = [rng.sample(ports, math.ceil(attempts / clients)) for _ in range(clients)]
    return [(number % clients, own[number % clients][number // clients]) for number in range(attempts)]


def kept(own: Sequence[int], given: Sequence[int | None], ports: Sequence[int]) -> list[bool]:
    """Return for each attempt that could get its `own` source port whether the NAT has `given` it that port.

    An attempt could get it if it is among the NAT's `ports`, and no earlier attempt has got it. A refused attempt
    is given None, and does not count.
    """
    taken: set[int] = set()
    found = []
    for wanted, got in zip(own, given, strict=True):
        if got is not None:
            if wanted in ports and wanted not in taken:
                found.append(got == wanted)
            taken.add(got)
    return found
