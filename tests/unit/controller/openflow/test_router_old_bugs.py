"""Bugs that published NAT applications for OpenFlow controllers have, tried on ours.

One gives every second port only, and fails with an exception at half its pool. One's timer ends with the first
entry that it cannot handle, and from then on nothing expires. One gives port -1, for ever, when its pool is empty.
"""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP

from controller.nat.model import Protocol
from controller.nat.strategies.allocators import ALLOCATORS
from tests.support.network import EXTERNAL, Network, echo, tcp, udp

SERVER = "198.51.100.1:7"
PORTS = 12
PROTOCOLS = ["tcp", "udp", "icmp"]
TIMERS = {"udp_timeout": 8, "icmp_timeout": 8, "tcp_trans_open_timeout": 8, "hold_down_timeout": 0}


def outside_port(network: Network, protocol: str, port: int, name: str = "alice") -> int | None:
    """Let a host send from a port, and return with which port it arrives, if it does."""
    host = network.hosts[name]
    if protocol == "icmp":
        arrivals = network.send(name, echo(network, host, "198.51.100.1", port))
    else:
        arrivals = network.send(name, {"tcp": tcp, "udp": udp}[protocol](network, host, port, SERVER))
    if not arrivals:
        return None
    (arrival,) = arrivals
    transport = arrival.packet[IP].payload
    return int(transport.id if protocol == "icmp" else transport.sport)


def let_pass(network: Network, seconds: float) -> None:
    """Let time pass, as it passes for the controller."""
    for _ in range(int(seconds / 0.25)):
        network.tick(0.25)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_the_whole_pool_is_given_and_given_again(allocator: str, protocol: str) -> None:
    """Each of three rounds gives every port once; in between all mappings are idle and all ports rest."""
    network = Network(ports=PORTS, port_allocation_type=allocator, port_set_size=5, port_set_timeout=1, **TIMERS)

    for _ in range(3):
        given = [outside_port(network, protocol, 100 + number) for number in range(PORTS)]
        assert sorted(port or 0 for port in given) == list(range(1024, 1024 + PORTS))
        let_pass(network, 12.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_at_exhaustion_nothing_leaves_however_often_it_is_tried(protocol: str) -> None:
    """No packet leaves with port -1, 0 or 65535 or with one in use, and no attempt is remembered."""
    network = Network(ports=2, **TIMERS)
    used = [outside_port(network, protocol, number) for number in (1, 2)]
    rules = network.mapping_rules()

    assert [outside_port(network, protocol, 3 + number % 7, "bob") for number in range(50)] == [None] * 50

    assert len(network.router.nat) == 2
    assert network.mapping_rules() == rules
    assert sorted(port or 0 for port in used) == [1024, 1025]
    let_pass(network, 12.0)
    assert outside_port(network, protocol, 3, "bob") in used


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_expiry_goes_on_after_the_first_that_expired(protocol: str) -> None:
    """Mappings expire wave after wave, with some of the next wave alive when the last one ends."""
    network = Network(ports=64, **TIMERS)
    for wave in range(6):
        for number in range(4):
            outside_port(network, protocol, 100 * wave + number)
        let_pass(network, 4.0)
        assert len(network.router.nat) <= 4 * 3

    let_pass(network, 12.0)

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("tables", [(1, 2), (1,), (2,)], ids=["both rules", "outbound", "inbound"])
def test_one_entry_that_is_not_as_it_should_be_stops_no_other(protocol: str, tables: tuple[int, ...]) -> None:
    """Its rules have gone from the switch, so that no count of it is reported: it ends, and so do the others."""
    network = Network(ports=64, **TIMERS)
    for number in range(3):
        outside_port(network, protocol, 1 + number)
    owner = network.mapping(Protocol[protocol.upper()], network.alice, 2)
    assert owner is not None
    for rule in network.mapping_rules():
        if rule.table in tables and {owner.internal.port, owner.external.port} & {v for _, v in rule.match}:
            network.table.remove(rule)
    let_pass(network, 4.0)
    for number in range(3):
        outside_port(network, protocol, 11 + number)

    let_pass(network, 24.0)

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()


@pytest.mark.parametrize(("protocol", "table"), [("udp", 1), ("tcp", 1), ("tcp", 2)])
def test_a_rule_that_has_gone_from_the_switch_is_no_sign_of_use(protocol: str, table: int) -> None:
    """A flow that is not reported keeps its last count, and is idle from then on."""
    timers = {"tcp_trans_open_timeout": 1, "tcp_idle_timeout": 8, "tcp_rst_timeout": 1, "udp_timeout": 8}
    network = Network(ports=4, **timers)
    external = outside_port(network, protocol, 1)
    make = {"tcp": tcp, "udp": udp}[protocol]
    answer = make(network, network.server, 7, f"{EXTERNAL}:{external}")
    onward = make(network, network.alice, 1, SERVER)
    if protocol == "tcp":
        answer["TCP"].flags, onward["TCP"].flags = "SA", "A"
    for _ in range(3):
        assert network.send("server", answer) != []
        assert network.send("alice", onward) != []
    let_pass(network, 4.0)

    for rule in network.mapping_rules():
        if rule.table == table:
            network.table.remove(rule)
    let_pass(network, 9.0)

    assert len(network.router.nat) == 0


def test_a_report_that_never_comes_is_asked_for_again() -> None:
    """The switch may have been busy; what was due stays due."""
    network = Network(ports=4, **TIMERS)
    outside_port(network, "udp", 1)
    network.reports = False
    let_pass(network, 12.0)
    assert len(network.router.nat) == 1

    network.reports = True
    let_pass(network, 12.0)

    assert len(network.router.nat) == 0


def test_a_report_about_an_ended_mapping_changes_nothing() -> None:
    """The report was on its way when the mapping ended, or the bucket had others in it before."""
    network = Network(ports=4, **TIMERS)
    outside_port(network, "udp", 1)
    (cookie,) = {rule.cookie for rule in network.mapping_rules()}
    let_pass(network, 12.0)
    outside_port(network, "udp", 2)

    before = network.mapping_rules()
    network.router.counted(cookie, [], network.now)

    assert network.mapping_rules() == before
    assert network.mapping(Protocol.UDP, network.alice, 2) is not None
    let_pass(network, 12.0)
    assert len(network.router.nat) == 0
