"""What the controller tells about itself, by the names of RFC 8512."""

from __future__ import annotations

import json
import socket

import pytest

from controller.openflow.telemetry import Telemetry, gauges
from tests.support.network import Network, tcp, udp


def test_the_gauges_describe_each_protocol_and_the_whole() -> None:
    """Two hosts, two ports, three asking: the literal record."""
    network = Network(ports=2)
    for port in (1, 2, 3):
        network.send("alice", tcp(network, network.alice, port, "198.51.100.1:7"))
    network.send("bob", udp(network, network.bob, 1, "198.51.100.1:7"))
    network.send("bob", tcp(network, network.bob, 1, "198.51.100.1:7", "A"))

    unused = {
        "ports_allocated": 0,
        "ports_free": 2,
        "ports_resting": 0,
        "ports_in_hold_down": 0,
        "total_port_mappings": 0,
        "port_mapping_creations": 0,
        "evicted_mappings": 0,
        "evicted_unanswered_sessions": 0,
        "dropped_port_packets": 0,
        "dropped_address_packets": 0,
        "dropped_port_limit_packets": 0,
        "dropped_subscriber_port_packets": 0,
        "dropped_reservation_packets": 0,
        "dropped_subscriber_limit_packets": 0,
        "dropped_mapping_limit_packets": 0,
        "dropped_state_limit_packets": 0,
        "dropped_destination_limit_packets": 0,
        "dropped_rate_packets": 0,
        "dropped_flow_table_packets": 0,
        "dropped_hold_packets": 0,
        "dropped_unmapped_packets": 0,
        "dropped_filtered_packets": 0,
        "held_packets": 0,
        "icmp_sent": 0,
        "late_resets_sent": 0,
        "resets_sent": 0,
    }
    tcp_gauges = {"ports_allocated": 2, "ports_free": 0, "total_port_mappings": 2, "port_mapping_creations": 2}
    udp_gauges = {"ports_allocated": 1, "ports_free": 1, "total_port_mappings": 1, "port_mapping_creations": 1}
    assert gauges(network.router) == {
        "icmp": unused,
        "tcp": unused | tcp_gauges | {"dropped_port_packets": 1, "dropped_unmapped_packets": 1},
        "udp": unused | udp_gauges,
        "addresses": {"192.0.2.1": {"icmp": (0, 2, 0, 0), "tcp": (2, 0, 0, 0), "udp": (1, 1, 0, 0)}},
        "total_sessions": None,
        "total_active_subscribers": 2,
        "packet_ins_known_mappings": 0,
        "fragments_waiting": 0,
        "dropped_fragments": 0,
        "dropped_martian_packets": 0,
        "dropped_spoofed_packets": 0,
        "dropped_invalid_packets": 0,
        "dropped_expired_packets": 0,
        "dropped_unrouted_packets": 0,
        "dropped_unresolved_packets": 0,
        "ignored_arp_messages": 0,
        "neighbours": 4,
        "icmp_errors_sent": 0,
        "dropped_protocol_packets": 0,
        "nat_addresses_exhausted": 0,
        "nat_ports_exhausted": 1,
        "quota_exceeded_subscribers": 0,
        "quota_exceeded_quota": 0,
        "quota_exceeded_rate": 0,
        "quota_exceeded_mappings": 0,
        "quota_exceeded_sessions": 0,
        "quota_exceeded_destination": 0,
        "quota_exceeded_subscriber_ports": 0,
        "quota_exceeded_reservation": 0,
        "quota_exceeded_flow_table": 0,
        "quota_exceeded_hold_queue": 0,
        "quota_exceeded_fragments": 0,
        "threshold_reached": 1,
    }


def test_sessions_are_counted_where_the_rules_show_them() -> None:
    """One session for each remote endpoint; where a pair of rules serves them all, nobody knows."""
    network = Network(ports=2, filtering_type="edf")
    for server in ("198.51.100.1:7", "198.51.100.1:8", "203.0.113.1:7"):
        network.send("alice", udp(network, network.alice, 1, server))

    assert gauges(network.router)["total_sessions"] == 3
    assert gauges(network.router)["udp"]["total_port_mappings"] == 1


def test_sessions_of_tcp_are_always_counted() -> None:
    """Each has rules of its own, so that a stranger's segments can be told from it."""
    network = Network(ports=2)
    for server in ("198.51.100.1:7", "198.51.100.1:8"):
        network.send("alice", tcp(network, network.alice, 1, server))

    assert gauges(network.router)["total_sessions"] == 2
    network.send("alice", udp(network, network.alice, 1, "198.51.100.1:7"))
    assert gauges(network.router)["total_sessions"] is None


@pytest.mark.parametrize(
    ("settings", "gauge"),
    [
        ({"ports": 1}, "nat_ports_exhausted"),
        ({"ports": 1, "address_allocation_type": "arbitrary"}, "nat_addresses_exhausted"),
        ({"limit_subscribers": 1}, "quota_exceeded_subscribers"),
        ({"port_quota": 1}, "quota_exceeded_quota"),
        ({"new_mapping_rate_per_subscriber": 1.0}, "quota_exceeded_rate"),
        ({"limit_port_mappings": 1}, "quota_exceeded_mappings"),
        ({"limit_sessions": 1}, "quota_exceeded_sessions"),
        ({"ports": 1, "on_exhaustion": "hold", "hold_queue": 1}, "quota_exceeded_hold_queue"),
    ],
)
def test_each_limit_has_its_own_gauge(settings: dict[str, object], gauge: str) -> None:
    """RFC 8158 natEvent 3, 12 and 13: told once, however many packets it stops."""
    network = Network(**settings)
    for host, port in ((network.alice, 1), (network.alice, 2), (network.bob, 1), (network.alice, 3)):
        network.send(host.name, udp(network, host, port, "198.51.100.1:7"))

    assert gauges(network.router)[gauge] >= 1
    told = {
        name for name, value in gauges(network.router).items() if "exceed" in name or "exhaust" in name if value
    }
    assert told <= {gauge, "nat_ports_exhausted"}


def test_records_and_requests_are_lines_of_json() -> None:
    """One socket for both ways; the end of the requests is the end of the stream."""
    ours, theirs = socket.socketpair()
    telemetry = Telemetry(theirs)
    with ours, theirs:
        telemetry.send(ready=True, framework="ryu 4.34")
        ours.sendall(b'{"id": 7}\n{"id": 8, "flush": true}\n')
        ours.shutdown(socket.SHUT_WR)

        assert list(telemetry.requests()) == [{"id": 7}, {"id": 8, "flush": True}]
        assert json.loads(ours.recv(4096)) == {"ready": True, "framework": "ryu 4.34"}
