"""Attempts, sightings and SYNs, as hosts, servers and the wire would have seen them."""

from __future__ import annotations

import dataclasses

from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint

SERVER = ("198.51.100.1", 7)
MIRROR = ("203.0.113.1", 7)
EXTERNAL = ("192.0.2.1", 1024)


def attempt(nonce: int, outcome: str = "established") -> Attempt:
    """Return an attempt whose number and nonce are the same."""
    return Attempt(
        number=nonce,
        nonce=nonce,
        outcome=outcome,
        detail="",
        source=("10.0.0.1", nonce),
        seen=("", 0),
        target=SERVER,
        retransmissions=0,
        sent_at=0.0,
        done_at=0.0,
    )


def seen(
    nonce: int,
    first: float,
    last: float,
    *,
    port: int = 1024,
    address: str = "192.0.2.1",
    protocol: str = "tcp",
    target: Endpoint = SERVER,
) -> Sighting:
    """Return when the servers saw an attempt at an external endpoint."""
    return Sighting(nonce, address, port, first, last, target, protocol)


def waiting(*, seconds: float, outcome: str = "established", retransmissions: int = 0) -> Attempt:
    """Return an attempt that was sent at 10.0 and took `seconds`."""
    return dataclasses.replace(
        attempt(1, outcome),
        seen=("192.0.2.1", 1024),
        sent_at=10.0,
        done_at=10.0 + seconds,
        retransmissions=retransmissions,
    )


def on_wire(*times: float) -> dict[tuple[tuple[str, int], tuple[str, int]], list[tuple[int, float]]]:
    """Return SYNs of that attempt's external endpoint, at these times."""
    return {(("192.0.2.1", 1024), SERVER): [(number, at) for number, at in enumerate(times)]}
