"""The source ports that attempts are made from, and whether a NAT keeps them: some do where they can."""

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
    """Return client (from 0) and source port of each attempt, the clients in turn; no pair comes twice."""
    rng = random.Random(seed)
    own = [rng.sample(ports, math.ceil(attempts / clients)) for _ in range(clients)]
    return [(number % clients, own[number % clients][number // clients]) for number in range(attempts)]


def kept(own: Sequence[int], given: Sequence[int | None], ports: range) -> list[bool]:
    """Return whether attempts got their `own` source ports from the NAT, where these could be `given`.

    They could where they are among the NAT's `ports`, and no earlier attempt has got them. A refused attempt is
    given None, and does not count.
    """
    taken: set[int] = set()
    found = []
    for wanted, got in zip(own, given, strict=True):
        if got is not None:
            if wanted in ports and wanted not in taken:
                found.append(got == wanted)
            taken.add(got)
    return found
