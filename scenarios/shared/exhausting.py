"""Filling a pool beyond its last port in the order that the gateway's policy asks for, and using what is open."""

from __future__ import annotations

from typing import Any

from scenarios.shared.filling import WINDOW, Filled, Filling
from testbed.api import Experiment, Settings

EVICTIONS = 64
"""Attempts under way at once, each of which waits until its port has rested."""


def in_order_of(settings: Settings) -> int:
    """Return the number of attempts under way at once while order matters: one for each 256 ports."""
    return min(WINDOW, max(1, settings.port_count // 256))


def fill_up(filling: Filling, x: Experiment[Any]) -> Filled:
    """Open all attempts, in order while all are answered: those that are served, or evicted, before all others."""
    attempts, promise, in_order = x.parameters.attempts, x.promise, in_order_of(x.settings)
    if not promise.evicts:
        ahead = promise.capacity if promise.finds_all else 0
        return filling.fill("fill", attempts, in_order=in_order, ahead=ahead)
    # The attempts for which others are evicted are answered as well, but each only when its port has rested.
    fitting = min(attempts, promise.capacity)
    filled = filling.fill("fill", fitting, in_order=in_order, ahead=attempts - fitting)
    return filled + filling.fill("evict", attempts - fitting, in_order=EVICTIONS)


def use_all(filling: Filling, refused: int, x: Experiment[Any]) -> set[int]:
    """Exchange data on the connections, and return the numbers of those that still carry it."""
    everyone = range(1, x.parameters.attempts + 1)
    if not x.promise.evicts:
        return filling.echo(everyone)
    echoed = filling.echo(everyone[refused:])
    if x.protocol == "tcp" or not x.promise.takes_all_ports:
        echoed |= filling.echo(everyone[:refused], patience=x.parameters.patience)
    return echoed  # over UDP, a datagram of an evicted connection would be a new flow, and evict another
