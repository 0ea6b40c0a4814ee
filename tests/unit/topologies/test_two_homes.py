"""The topology two-homes: two gateways that meet at a plain router."""

from __future__ import annotations

from controller.nat.model import Side
from tests.support.wiring import wired
from topologies.two_homes import TwoHomes


def test_two_homes_meet_at_a_plain_router() -> None:
    """It is the next hop of both, and its interfaces have the addresses that they name."""
    homes = TwoHomes(clients=2)

    assert wired(homes, "gateway-a") == [
        (1, Side.OUTSIDE, "192.0.2.253/24", "192.0.2.254"),
        (2, Side.INSIDE, "10.1.255.254/16", None),
    ]
    assert wired(homes, "gateway-b")[0] == (1, Side.OUTSIDE, "203.0.113.253/24", "203.0.113.254")
    assert homes.nodeInfo("internet")["interfaces"] == {
        "eth0": "192.0.2.254/24",
        "eth1": "203.0.113.254/24",
        "eth2": "198.51.100.254/24",
    }
