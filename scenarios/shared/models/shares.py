"""How ports are shared out among clients, and how fair that is."""

from __future__ import annotations

from collections.abc import Sequence


def allotted(asked: Sequence[int], ports: int, quota: int | None) -> list[int]:
    """Return the number of ports that each client gets: the first one asks alone, then the others in turn."""
    wanted = [number if quota is None else min(number, quota) for number in asked]
    got = [min(wanted[0], ports), *[0] * (len(asked) - 1)]
    for turn in range(max(wanted[1:], default=0)):
        for client in range(1, len(asked)):
            if turn < wanted[client] and sum(got) < ports:
                got[client] += 1
    return got


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness: 1 if all have the same, 1/n if one of n has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
