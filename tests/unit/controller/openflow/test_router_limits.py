"""The gateway when something runs out or breaks: ports, room in the switch, the connection to the switch, time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, TCP

from controller.nat.model import Limit, Protocol, Side
from controller.nat.tcp import TcpState
from controller.openflow.rules import Rule, Table
from tests.support.core import connections
from tests.support.flowtable import FlowTable
from tests.support.network import EXTERNAL, Network, echo, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"


def connect(network: Network, name: str = "alice", to: str = SERVER) -> int:
    """Let a host open a connection that is answered, and return its external port."""
    (out,) = network.send(name, tcp(network, network.hosts[name], 40000, to))
    external: int = out.packet[TCP].sport
    answer(network, external)
    return external


def answer(network: Network, external: int, server: str = "server") -> list[str]:
    """Let a server send a segment to an external port, and return where it arrives."""
    frame = tcp(network, network.hosts[server], 7, f"{EXTERNAL}:{external}", "SA")
    return [a.host for a in network.send(server, frame)]


# Ports


def test_when_the_last_port_is_taken_the_next_host_gets_none_and_the_first_goes_on() -> None:
    """RFC 6888 REQ-11A and REQ-11D on the wire: the SYN goes nowhere, the existing connection works."""
    network = Network(ports=1)
    external = connect(network)
    rules = network.mapping_rules()

    assert network.send("bob", tcp(network, network.bob, 40000, SERVER)) == []

    assert network.router.nat.counters[Protocol.TCP].dropped_port_packets == 1
    assert network.router.following.limits_reached[Limit.PORTS] == 1
    assert network.mapping_rules() == rules
    assert [a.host for a in network.send("alice", tcp(network, network.alice, 40000, SERVER, "A"))] == ["server"]
    assert answer(network, external) == ["alice"]


@pytest.mark.parametrize("ports", [1, 2, 7])
def test_a_pool_serves_exactly_as_many_endpoints_as_it_has_ports(ports: int) -> None:
    """No port is lost, none is given twice: every one of them is on the wire."""
    network = Network(ports=ports)

    sent = [network.send("alice", udp(network, network.alice, 1 + n, SERVER)) for n in range(ports + 3)]

    seen = [arrivals[0].packet[IP].payload.sport for arrivals in sent if arrivals]
    assert sorted(seen) == list(range(1024, 1024 + ports))
    assert [len(arrivals) for arrivals in sent] == [1] * ports + [0] * 3


# Room in the switch


@pytest.mark.parametrize(
    "refuses",
    [lambda rule: True, lambda rule: rule.table is Table.OUTBOUND],
    ids=["both rules", "the outbound rule"],
)
def test_a_mapping_whose_rules_are_refused_is_undone_and_its_packet_does_not_leave(
    refuses: Callable[[Rule], bool],
) -> None:
    """The allocation is rolled back and counted, never lost; nothing leaves by a rule that is not there."""
    network = Network(ports=1, hold_down_timeout=0)
    network.refuses = refuses

    assert network.send("alice", tcp(network, network.alice, 40000, SERVER)) == []

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()
    assert network.router.nat.counters[Protocol.TCP].dropped_flow_table_packets == 1
    network.refuses = lambda rule: False
    network.tick(0.5)
    assert connect(network, "bob") == 1024


def test_a_mapping_whose_inbound_rule_is_refused_is_undone() -> None:
    """Half a mapping would send packets out and let none back in."""
    network = Network(ports=1)
    network.refuses = lambda rule: rule.table is Table.INBOUND

    network.send("alice", tcp(network, network.alice, 40000, SERVER))

    assert network.mapping_rules() == set()
    assert len(network.router.nat) == 0
    assert network.send("alice", tcp(network, network.alice, 40000, SERVER, "A")) == []


def test_the_controller_itself_forwards_no_packet_of_a_mapping_without_rules() -> None:
    """A full switch would otherwise seem to work, at the controller's speed."""
    network = Network(ports=4)
    network.refuses = lambda rule: True

    assert [network.send("alice", udp(network, network.alice, 5, SERVER)) for _ in range(3)] == [[], [], []]
    assert network.router.nat.counters[Protocol.UDP].dropped_flow_table_packets == 3


# What an operator may ask for


def test_a_flush_ends_everything_at_once() -> None:
    """Every mapping ends, with its rules; a packet that waited gets a port after its rest."""
    network = Network(ports=1, hold_down_timeout=0, on_exhaustion="hold", hold_timeout=5)
    external = connect(network)
    network.send("alice", udp(network, network.alice, 5, SERVER))
    network.send("alice", echo(network, network.alice, "198.51.100.1", 77))
    assert network.send("bob", tcp(network, network.bob, 40000, SERVER)) == []

    network.router.flush(network.now)

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()
    assert answer(network, external) == []
    assert [a.packet[TCP].sport for a in network.tick(0.5)] == [1024]


# The connection to the switch


def test_after_a_reconnect_every_rule_is_back() -> None:
    """Rules of the pipeline, the neighbours and each mapping are back, none is left over; connections go on."""
    network = Network(ports=4)
    external = connect(network)
    network.send("bob", udp(network, network.bob, 5, SERVER))
    network.send("alice", echo(network, network.alice, "198.51.100.1", 77))
    before = {entry.rule for entry in network.table}
    network.table.install(Rule(Table.CLASSIFY, 1000, ()))

    network.connect()

    assert {entry.rule for entry in network.table} == before
    assert answer(network, external) == ["alice"]


def test_a_switch_that_lost_everything_is_filled_again() -> None:
    """A switch may have been restarted."""
    network = Network(ports=4)
    external = connect(network)
    before = {entry.rule for entry in network.table}
    network.table = FlowTable()

    network.connect()

    assert {entry.rule for entry in network.table} == before
    assert answer(network, external) == ["alice"]


def test_a_reconnect_may_find_no_room_for_a_mapping() -> None:
    """Such a mapping is undone like any other that the switch refuses."""
    network = Network(ports=4)
    connect(network)
    network.refuses = lambda rule: True

    network.connect()

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()


def test_an_answered_connection_survives_a_reconnect() -> None:
    """The switch counts from 0 again, and that is no sign of silence."""
    network = Network(ports=4, tcp_rst_timeout=1)
    external = connect(network)
    for _ in range(5):
        answer(network, external)
    network.tick(240.0)
    network.send("alice", tcp(network, network.alice, 40000, MIRROR))
    network.connect()
    answer(network, external, "mirror")
    network.send("alice", tcp(network, network.alice, 40000, SERVER, "R"))
    network.tick(1.0)

    network.tick(240.0)

    assert answer(network, external, "mirror") == ["alice"]


# Time


def test_an_idle_udp_mapping_ends_and_one_in_use_stays() -> None:
    """RFC 4787 REQ-5 and REQ-6, by the counts of the rules; one request asks for both mappings."""
    network = Network(ports=4, udp_timeout=8)
    for host in (network.alice, network.bob):
        network.send(host.name, udp(network, host, 5, SERVER))

    for _ in range(6):
        network.tick(2.0)
        network.send("bob", udp(network, network.bob, 5, SERVER))

    assert network.mapping(Protocol.UDP, network.alice, 5) is None
    assert network.mapping(Protocol.UDP, network.bob, 5) is not None
    assert {rule.table for rule in network.mapping_rules()} == {Table.OUTBOUND, Table.INBOUND}
    assert len(network.polls) == 6


def test_an_answered_connection_is_established_once_its_counts_are_read() -> None:
    """RFC 7857 Figure 1 by packet counts: the controller saw only the SYN."""
    network = Network(ports=4)
    connect(network)

    network.tick(240.0)

    mapping = network.mapping(Protocol.TCP, network.alice, 40000)
    assert mapping is not None
    assert [session.state for session in connections(mapping).values()] == [TcpState.ESTABLISHED]


def test_an_opening_that_nobody_answers_gives_its_port_back() -> None:
    """RFC 5382 REQ-5: the SYN that went out through the rules is no answer to itself."""
    network = Network(ports=1, hold_down_timeout=0)
    network.send("alice", tcp(network, network.alice, 40000, SERVER))

    network.tick(240.0)

    assert network.mapping_rules() == set()


def test_before_anything_is_due_the_switch_is_not_asked() -> None:
    """Counting costs the switch time."""
    network = Network(ports=4)
    connect(network)
    network.send("bob", udp(network, network.bob, 5, SERVER))

    network.tick(74.9)
    assert network.polls == []

    network.tick(0.1)
    assert len(network.polls) == 1


def test_an_idle_icmp_mapping_ends_without_asking_the_switch() -> None:
    """RFC 5508 REQ-2: it has no rules; the controller has seen each query."""
    network = Network(ports=4)
    (out,) = network.send("alice", echo(network, network.alice, "198.51.100.1", 77))
    reply = echo(network, network.server, EXTERNAL, out.packet["ICMP"].id, reply=True)

    network.tick(59.0)
    assert [a.host for a in network.send("server", reply)] == ["alice"]

    network.tick(16.0)
    assert network.send("server", reply) == []
    assert network.polls == []


def test_the_sides_of_the_wiring_are_those_of_the_topology() -> None:
    """The harness and the controller are told the same."""
    network = Network()

    assert {name: (host.port, host.side) for name, host in network.hosts.items()} == {
        "alice": (1, Side.INSIDE),
        "bob": (2, Side.INSIDE),
        "server": (3, Side.OUTSIDE),
        "mirror": (4, Side.OUTSIDE),
    }
