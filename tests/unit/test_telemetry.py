"""What the controller tells about itself, by the names of RFC 8512."""

from __future__ import annotations

import json
import socket

from controller.telemetry import Telemetry, gauges
from tests.unit.network import Network, tcp, udp


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
        "dropped_port_packets": 0,
        "dropped_unmapped_packets": 0,
        "dropped_flow_table_packets": 0,
    }
    tcp_gauges = {"ports_allocated": 2, "ports_free": 0, "total_port_mappings": 2, "port_mapping_creations": 2}
    udp_gauges = {"ports_allocated": 1, "ports_free": 1, "total_port_mappings": 1, "port_mapping_creations": 1}
    assert gauges(network.router) == {
        "icmp": unused,
        "tcp": unused | tcp_gauges | {"dropped_port_packets": 1, "dropped_unmapped_packets": 1},
        "udp": unused | udp_gauges,
        "total_sessions": None,
        "total_active_subscribers": 2,
        "packet_ins_known_mappings": 0,
        "dropped_fragments": 0,
        "nat_ports_exhausted": 1,
    }


def test_records_and_requests_are_lines_of_json() -> None:
    """One socket for both ways; the end of the requests is the end of the stream."""
    ours, theirs = socket.socketpair()
    telemetry = Telemetry(theirs)
    with ours, theirs:
        telemetry.send(ready=True, framework="ryu 4.34")
        ours.sendall(b'{"id": 7}\n{"id": 8}\n')
        ours.shutdown(socket.SHUT_WR)

        assert list(telemetry.requests()) == [7, 8]
        assert json.loads(ours.recv(4096)) == {"ready": True, "framework": "ryu 4.34"}
