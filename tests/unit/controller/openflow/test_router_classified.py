"""What a STUN client would find out about the gateway, by frames: the setting, for all nine pairs (RFC 5780)."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP

from tests.support.network import EXTERNAL, Network, udp

PRIMARY, OTHER_PORT = "198.51.100.1:3478", "198.51.100.1:3479"
OTHER_ADDRESS, OTHER_BOTH = "203.0.113.1:3478", "203.0.113.1:3479"
OVERLAPPING = {("adm", "adf"): "address", ("edm", "adf"): "address", ("edm", "edf"): "endpoint"}


def mapped(network: Network, port: int, to: str) -> str:
    """Send a binding request from one of alice's ports, and return the address and port that arrive with it."""
    (arrival,) = network.send("alice", udp(network, network.alice, port, to))
    return f"{arrival.packet[IP].src}:{arrival.packet[UDP].sport}"


def is_let_in(network: Network, external: str, source: str) -> bool:
    """Send an answer from an outside endpoint, and say whether it arrives at alice, from there."""
    name = "server" if source.startswith("198.51.100") else "mirror"
    address, port = source.split(":")
    arrivals = network.send(name, udp(network, network.hosts[name], int(port), external))
    assert all((a.host, a.packet[IP].src, a.packet[UDP].sport) == ("alice", address, int(port)) for a in arrivals)
    return len(arrivals) == 1


def mapping_behaviour(network: Network, port: int) -> str:
    """RFC 5780 section 4.3: one port, three destinations."""
    first, second, third = (mapped(network, port, to) for to in (PRIMARY, OTHER_ADDRESS, OTHER_BOTH))
    if second == first:
        return "eim"
    return "adm" if third == second else "edm"


def filtering_behaviour(network: Network, port: int) -> str:
    """RFC 5780 section 4.4: one request, and answers from elsewhere."""
    external = mapped(network, port, PRIMARY)
    assert is_let_in(network, external, PRIMARY)
    if is_let_in(network, external, OTHER_BOTH):
        return "eif"
    return "adf" if is_let_in(network, external, OTHER_PORT) else "edf"


@pytest.mark.parametrize(
    ("is_loaded", "limit_sessions"),
    [(False, None), (True, None), (False, 1000)],
    ids=["idle", "at the last ports", "with counted sessions"],
)
@pytest.mark.parametrize("filtering", ["eif", "adf", "edf"])
@pytest.mark.parametrize("mapping", ["eim", "adm", "edm"])
def test_the_classification_is_the_setting(
    mapping: str, filtering: str, limit_sessions: int | None, is_loaded: bool
) -> None:
    """A prober finds the setting also under load, with hardly a port left (RFC 4787 REQ-11)."""
    network = Network(
        ports=16,
        mapping_type=mapping,
        filtering_type=filtering,
        limit_sessions=limit_sessions,
        hold_down_timeout=0,
    )
    for port in range(12 if is_loaded else 0):
        network.send("bob", udp(network, network.bob, 1 + port, PRIMARY))

    assert mapping_behaviour(network, 40000) == mapping
    network.tick(0.25)
    assert filtering_behaviour(network, 40001) == filtering


@pytest.mark.parametrize(("pair", "overlapping"), OVERLAPPING.items(), ids=lambda value: str(value))
def test_overlapping_ports_change_nothing_in_the_classification(pair: tuple[str, str], overlapping: str) -> None:
    """RFC 7857 section 3: a mapping for one destination says nothing about the port for another."""
    mapping, filtering = pair
    network = Network(ports=64, mapping_type=mapping, filtering_type=filtering, port_overlapping=overlapping)

    assert mapping_behaviour(network, 40000) == mapping
    assert filtering_behaviour(network, 40001) == filtering


def test_the_external_address_is_that_of_the_pool() -> None:
    """The prober is told an address of the pool, not the gateway's own."""
    assert mapped(Network(), 40000, PRIMARY).startswith(f"{EXTERNAL}:")
