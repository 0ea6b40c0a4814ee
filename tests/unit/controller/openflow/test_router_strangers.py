"""What strangers may take of the switch and of the sessions, on frames."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.rules import Meter, Stopped, Table
from tests.support.network import EXTERNAL, Arrival, Network, ip, tcp, udp

SERVER = "198.51.100.1:7"


def opened(network: Network, protocol: Protocol = Protocol.TCP) -> str:
    """Let alice open a session, and return its external endpoint."""
    send = tcp if protocol is Protocol.TCP else udp
    network.send("alice", send(network, network.alice, 40000, SERVER))
    mapping = network.mapping(protocol, network.alice, 40000)
    assert mapping is not None
    return str(mapping.external)


def hosts(arrivals: list[Arrival]) -> list[str]:
    """Return where packets arrived."""
    return [arrival.host for arrival in arrivals if IP in arrival.packet]


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP], ids=["tcp", "udp"])
def test_a_flood_of_strangers_makes_a_bounded_number_of_rules(protocol: Protocol) -> None:
    """A mapping's eighth of the limit, two rules for each, and none of the inside's."""
    network = Network(ports=64, limit_unanswered_inbound_sessions=80, refresh_inbound=True)
    send, external = (tcp if protocol is Protocol.TCP else udp), opened(network, protocol)

    for port in range(200):
        assert hosts(network.send("mirror", send(network, network.mirror, 1000 + port, external))) == ["alice"]

    assert len(network.mapping_rules()) == 2 * (1 + 10)


def test_a_full_switch_has_room_for_the_inside_as_long_as_it_holds_strangers() -> None:
    """Bob's SYN passes at once, in place of the oldest stranger's session."""
    network = Network(ports=64)
    network.refuses = lambda rule: sum(each.table is rule.table for each in network.mapping_rules()) >= 16
    external = opened(network)
    for port in range(20):
        network.send("mirror", tcp(network, network.mirror, 1000 + port, external))

    assert hosts(network.send("bob", tcp(network, network.bob, 5, SERVER))) == ["server"]
    assert network.router.nat.counters[Protocol.TCP].evicted_unanswered_sessions > 0


def test_a_reset_passes_and_takes_the_rules_of_the_session_with_it() -> None:
    """Alice's kernel wants no connection: its RST arrives, and then nothing is left of the session."""
    network = Network(ports=64)
    external = opened(network)
    network.send("mirror", tcp(network, network.mirror, 1000, external))
    assert len(network.mapping_rules()) == 4

    reset = tcp(network, network.alice, 40000, f"{network.mirror.address}:1000", "RA")
    assert hosts(network.send("alice", reset)) == ["mirror"]
    network.tick()

    assert len(network.mapping_rules()) == 2


@pytest.mark.parametrize(("sender", "left"), [("alice", 2), ("bob", 4)], ids=["its host's", "another host's"])
def test_an_icmp_error_takes_the_rules_of_the_session_with_it(sender: str, left: int) -> None:
    """Nobody listens at alice's port. Bob cannot say so."""
    network = Network(ports=64, refresh_inbound=True)
    external = opened(network, Protocol.UDP)
    network.send("mirror", udp(network, network.mirror, 1000, external))
    quoted = IP(src=network.mirror.address, dst=network.alice.address) / UDP(sport=1000, dport=40000)
    host = network.hosts[sender]

    network.send(sender, ip(network, host, network.mirror.address) / ICMP(type=3, code=3) / quoted)

    assert len(network.mapping_rules()) == left


def test_a_syn_of_a_used_pair_of_endpoints_has_the_time_of_any_syn() -> None:
    """The counts are read before the SYN passes: the packets of the connection before are no answer."""
    network = Network(tcp_trans_open_timeout=4, tcp_trans_close_timeout=60, ports=64)
    external = opened(network)
    for flags in ("SA", "PA"):
        network.send("server", tcp(network, network.server, 7, external, flags))
    network.send("alice", tcp(network, network.alice, 40000, SERVER, "FA"))
    network.send("server", tcp(network, network.server, 7, external, "FA"))
    network.tick(1.0)
    network.send("alice", tcp(network, network.alice, 40000, SERVER))

    for _ in range(5):
        network.tick(1.0)

    assert len(network.router.nat) == 0


@pytest.mark.parametrize("number", [47, 50, 132], ids=["GRE", "ESP", "SCTP"])
def test_a_protocol_that_is_not_translated_is_dropped_and_counted_by_the_switch(number: int) -> None:
    """A flood of it costs the controller nothing."""
    network = Network(ports=64)
    asked = len(network.packet_ins)
    for sender, destination in (("alice", "198.51.100.1"), ("server", EXTERNAL), ("alice", EXTERNAL)):
        host = network.hosts[sender]
        assert hosts(network.send(sender, ip(network, host, destination, proto=number) / Raw(bytes(20)))) == []

    network.router.sum_up()
    assert network.router.drops.by_rules(Stopped.PROTOCOL) == 3
    assert len(network.packet_ins) == asked


def test_what_strangers_send_and_what_the_inside_opens_have_meters_of_their_own() -> None:
    """A flood from outside that the meter cuts off stops no first packet from inside."""
    meters = {
        (entry.rule.table, entry.rule.meter)
        for entry in Network().table
        if entry.rule.metered and entry.rule.table in (Table.OUTBOUND, Table.INBOUND)
    }

    assert meters == {(Table.OUTBOUND, Meter.PACKETS), (Table.INBOUND, Meter.STRANGERS)}


def test_a_syn_to_ones_own_external_endpoint_ends_in_time() -> None:
    """It comes back to its sender, which did not answer itself."""
    network = Network(tcp_trans_open_timeout=4, ports=64)
    own = opened(network)
    (arrival,) = network.send("alice", tcp(network, network.alice, 40000, own))
    assert arrival.host == "alice"
    assert Ether(bytes(arrival.packet))[TCP].flags == "S"

    for _ in range(6):
        network.tick(1.0)

    assert len(network.router.nat) == 0
