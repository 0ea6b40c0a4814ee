"""When a port was given again: what the wire shows, and how late the prober was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.shared.probing import Back, Probing

TARGET, EXTERNAL, OTHER = ("198.51.100.1", 7), ("192.0.2.1", 1024), ("192.0.2.1", 1025)
ENDED_AT, ENDED_BY = 10.0, 10.25


def holder(protocol: str = "tcp") -> Any:
    """Return a holder of EXTERNAL that was answered at 1.0, and ended between ENDED_AT and ENDED_BY."""
    return SimpleNamespace(
        endpoint=(protocol, EXTERNAL),
        client=SimpleNamespace(protocol=protocol, nonce=1),
        answered_at=1.0,
        ended_at=ENDED_AT,
        ended_by=ENDED_BY,
    )


def server(*seen: tuple[int, str, float]) -> Any:
    """Return a server that saw these nonces at EXTERNAL, over a protocol and first at a time."""
    sightings = [
        SimpleNamespace(nonce=nonce, protocol=protocol, external=EXTERNAL, first=first)
        for nonce, protocol, first in seen
    ]
    return SimpleNamespace(sightings=lambda: sightings)


def probing(*in_vain: float, protocol: str = "tcp") -> Probing:
    """Return a prober that was refused at these times."""
    made = Probing("", TARGET)
    made._in_vain[protocol] = list(in_vain)
    return made


def test_a_port_came_back_between_the_last_refusal_and_the_next_syn_on_the_wire() -> None:
    """The holder's own SYN does not count, even if it was sent again; nor does one at another endpoint."""
    syns = {(EXTERNAL, TARGET): [(7, 0.5), (7, 2.0), (8, 12.5), (9, 15.0)], (OTHER, TARGET): [(6, 11.0)]}

    back = probing(11.0, 12.0, 13.0).given_after(holder(), server(), syns)

    assert back == Back(12.0 - ENDED_BY, 12.5 - ENDED_AT)


def test_a_probe_that_was_given_up_and_then_let_through_shows_it_too() -> None:
    """It has taken the port, though its client is gone: on the wire it is as any other."""
    syns = {(EXTERNAL, TARGET): [(7, 0.5), (8, 12.5)]}

    back = probing(12.0, 12.4).given_after(holder(), server(), syns)

    assert back is not None
    assert back.most == 2.5


def test_over_udp_the_server_sees_the_next_client() -> None:
    """There is no SYN."""
    seen = server((1, "udp", 0.5), (2, "tcp", 11.0), (3, "udp", 13.0))

    assert probing(12.9, protocol="udp").given_after(holder("udp"), seen, {}) == Back(12.9 - ENDED_BY, 3.0)


def test_a_port_that_nobody_got_never_came_back() -> None:
    """There is the holder's own SYN on the wire, and no other."""
    assert probing(12.0).given_after(holder(), server(), {(EXTERNAL, TARGET): [(7, 0.5)]}) is None


@pytest.mark.parametrize(
    ("least", "most", "observed"),
    [(1.9, 2.0, 2.0), (1.0, 5.7, 4.0), (5.6, 5.7, 5.6), (0.1, 0.2, 0.2)],
    ids=["in time", "the prober was late", "the NAT was late", "early"],
)
def test_a_nat_is_blamed_only_if_nothing_between_the_bounds_will_do(
    least: float, most: float, observed: float
) -> None:
    """4.0 s are allowed. A prober that asked at 1.0 s and at 5.7 s has not seen that the NAT is late."""
    assert Back(least, most).nearest(4.0) == observed
