"""What port-overlap counts: services that one external endpoint is in use toward."""

from __future__ import annotations

import pytest

from scenarios.shared.models.overlap import at_once, reuses
from testbed.traffic.records import Sighting

SERVER, SECOND_PORT, MIRROR = ("198.51.100.1", 7), ("198.51.100.1", 8), ("203.0.113.1", 7)
EXTERNAL = ("192.0.2.1", 1024)


@pytest.mark.parametrize(("overlapping", "expected"), [("endpoint", 3), ("address", 2), ("off", 1)])
def test_a_port_is_in_use_toward_as_many_as_the_overlapping_tells_apart(overlapping: str, expected: int) -> None:
    """RFC 7857 section 3: two services at one address, and one at another."""
    assert reuses(overlapping, [SERVER, SECOND_PORT, MIRROR]) == expected


def sighting(nonce: int, first: float, last: float, target: tuple[str, int]) -> Sighting:
    """Return when a server saw someone at the one external endpoint."""
    return Sighting(nonce, *EXTERNAL, first, last, target)


def test_in_use_at_once_is_at_one_and_the_same_time() -> None:
    """Services that use a port one after the other do not count."""
    both = [sighting(1, 1.0, 5.0, SERVER), sighting(2, 2.0, 6.0, MIRROR)]
    in_turn = [sighting(1, 1.0, 2.0, SERVER), sighting(2, 3.0, 6.0, MIRROR)]

    assert at_once(both) == {EXTERNAL: {SERVER, MIRROR}}
    assert at_once(in_turn) == {EXTERNAL: {MIRROR}}
    assert at_once([]) == {}
