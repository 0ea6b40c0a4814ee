"""The topology carrier: two homes behind a carrier's NAT."""

from __future__ import annotations

from controller.nat.model import Side
from tests.support.wiring import wired
from topologies.carrier import Carrier


def test_the_carrier_is_under_test_and_each_home_has_one_address_in_its_network() -> None:
    """100.64.0.0/16 is of the address space that RFC 6598 has for it."""
    carrier = Carrier(clients=4)

    assert list(carrier.wiring) == ["carrier", "home-a", "home-b"]
    assert wired(carrier, "carrier") == [
        (1, Side.INSIDE, "100.64.255.254/16", None),
        (2, Side.INSIDE, "100.64.255.254/16", None),
        (3, Side.OUTSIDE, "198.51.100.254/24", None),
        (4, Side.OUTSIDE, "203.0.113.254/24", None),
    ]
    assert wired(carrier, "home-b") == [
        (1, Side.OUTSIDE, "100.64.0.2/16", "100.64.255.254"),
        (2, Side.INSIDE, "10.2.255.254/16", None),
        (3, Side.INSIDE, "10.2.255.254/16", None),
    ]
    assert {name: [str(a) for a in own] for name, own in carrier.external.items()} == {
        "home-a": ["100.64.0.1"],
        "home-b": ["100.64.0.2"],
    }
    assert carrier.behind == {"alice": "home-a", "bob": "home-b", "carol": "home-a", "dave": "home-b"}
    assert {str(network) for network in carrier.inside} == {"10.1.0.0/16", "10.2.0.0/16", "100.64.0.0/16"}
