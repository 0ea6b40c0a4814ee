"""Damaged packets: what the controller sees of them is verified, dropped and counted before the NAT sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.frames import Ipv4, common
from controller.openflow.rules import Table
from controller.openflow.switch import NO_PORT
from tests.support.network import EXTERNAL, Network, echo, tcp, udp
from tests.support.packets import in_fragments

SERVER = "198.51.100.1:7"
AT_IP, AT_TRANSPORT = 14, 34


def changed(frame: bytes, at: int, value: int, *, sound_header: bool = True) -> bytes:
    """Return a frame with another byte at `at`, and a right checksum of its IPv4 header if asked for."""
    data = bytearray(frame)
    data[at] = value
    packet = Ether(bytes(data))
    if sound_header:
        del packet[IP].chksum
        data[24:26] = bytes(packet)[24:26]
    return bytes(data)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "IP checksum": lambda frame: changed(frame, AT_IP + 10, frame[AT_IP + 10] ^ 1, sound_header=False),
    "bit in the header": lambda frame: changed(frame, AT_IP + 4, frame[AT_IP + 4] ^ 1, sound_header=False),
    "UDP length too long": lambda frame: changed(frame, AT_TRANSPORT + 4, 1),
    "UDP length too short": lambda frame: changed(frame, AT_TRANSPORT + 5, 7),
    "data offset too small": lambda frame: changed(frame, AT_TRANSPORT + 12, 0x40),
    "data offset beyond the end": lambda frame: changed(frame, AT_TRANSPORT + 12, 0xF0),
    "ICMP checksum": lambda frame: changed(frame, AT_TRANSPORT + 2, frame[AT_TRANSPORT + 2] ^ 1),
    "ICMP data": lambda frame: changed(frame, AT_TRANSPORT + 9, frame[AT_TRANSPORT + 9] ^ 1),
}
OF_KIND = {
    "udp": ["IP checksum", "bit in the header", "UDP length too long", "UDP length too short"],
    "tcp": ["IP checksum", "bit in the header", "data offset too small", "data offset beyond the end"],
    "icmp": ["IP checksum", "bit in the header", "ICMP checksum", "ICMP data"],
}


@pytest.mark.parametrize(("kind", "damage"), [(kind, damage) for kind, all_ in OF_KIND.items() for damage in all_])
def test_a_damaged_packet_from_inside_takes_no_port(kind: str, damage: str) -> None:
    """RFC 1812 section 5.2.2: it is dropped and counted, before the NAT has seen it."""
    network = Network(ports=8)
    sent = {
        "udp": udp(network, network.alice, 5, SERVER),
        "tcp": tcp(network, network.alice, 5, SERVER),
        "icmp": echo(network, network.alice, "198.51.100.1", 5),
    }[kind]
    data = DAMAGE[damage](bytes(sent))

    assert network.feed(network.alice.port, data) == []
    assert common(data) is None
    assert len(network.router.nat) == 0
    assert network.router.nat.limits.subscribers == {}
    assert network.router.drops.invalid == 1
    assert len(network.feed(network.alice.port, bytes(sent))) == 1


@pytest.mark.parametrize("damage", OF_KIND["icmp"])
def test_a_damaged_ping_is_not_mended_in_either_direction(damage: str) -> None:
    """An echo reply with a wrong checksum does not come in with a right one."""
    network = Network(ports=8)
    (out,) = network.send("alice", echo(network, network.alice, "198.51.100.1", 5))
    reply = echo(network, network.server, EXTERNAL, out.packet[ICMP].id, reply=True)

    assert network.feed(network.server.port, DAMAGE[damage](bytes(reply))) == []
    assert network.router.drops.invalid == 1
    assert len(network.send("server", reply)) == 1


@pytest.mark.parametrize("damage", OF_KIND["icmp"])
def test_a_damaged_ping_to_the_gateway_is_not_answered(damage: str) -> None:
    """The answer would have right checksums, and hide the damage."""
    network = Network()
    ping = bytes(echo(network, network.alice, "10.0.255.254", 5))

    assert network.feed(network.alice.port, DAMAGE[damage](ping)) == []
    assert len(network.feed(network.alice.port, ping)) == 1


def test_damaged_fragments_do_not_wait() -> None:
    """The checksum of each header counts, and that of the whole message."""
    network = Network(ports=8)
    ping = echo(network, network.alice, "198.51.100.1", 5) / Raw(bytes(64))
    ping[IP].flags = 0
    frames = [bytes(each) for each in in_fragments(ping, 40)]

    assert network.feed(network.alice.port, DAMAGE["IP checksum"](frames[0])) == []
    assert network.router.reassembly.waiting == 0
    assert [network.feed(network.alice.port, each) for each in (DAMAGE["ICMP data"](frames[0]), frames[1])] == [
        [],
        [],
    ]
    assert (network.router.drops.invalid, len(network.router.nat)) == (2, 0)
    assert len([arrival for each in frames for arrival in network.feed(network.alice.port, each)]) == 2


def test_a_damaged_packet_between_inside_hosts_opens_no_session() -> None:
    """One that an outbound rule has translated, and that no inbound rule takes, is verified as any other."""
    network = Network(ports=8, limit_sessions=10)
    (out,) = network.send("alice", udp(network, network.alice, 5, SERVER))
    header = Ether(dst=network.mac, src=network.bob.mac) / IP(src=EXTERNAL, dst=EXTERNAL)
    frame = bytes(header / UDP(sport=1500, dport=out.packet[UDP].sport))

    for number, sent in enumerate((DAMAGE["IP checksum"](frame), frame)):
        network.router.packet_in(Table.INBOUND, NO_PORT, sent, 0.0)
        assert (network.router.drops.invalid, network.router.nat.total_sessions) == (1, 1 + number)


def test_a_damaged_first_packet_from_outside_opens_no_session() -> None:
    """With endpoint-independent filtering any outside host may open one, but not by a wreck."""
    network = Network(ports=8, filtering_type="eif", limit_sessions=10)
    (out,) = network.send("alice", udp(network, network.alice, 5, SERVER))
    stranger = bytes(udp(network, network.mirror, 7, f"{EXTERNAL}:{out.packet[UDP].sport}"))

    assert network.feed(network.mirror.port, DAMAGE["IP checksum"](stranger)) == []
    assert len(list(network.router.nat.flows())) == 1
    assert len(network.feed(network.mirror.port, stranger)) == 1


def test_a_fin_with_a_wrong_offset_is_no_end_of_a_connection() -> None:
    """The switch has forwarded it, as it does with any packet of a known flow; its peer will discard it."""
    network = Network(ports=8, tcp_rst_timeout=1)
    network.send("alice", tcp(network, network.alice, 5, SERVER))
    reset = DAMAGE["data offset too small"](bytes(tcp(network, network.alice, 5, SERVER, "R")))

    network.feed(network.alice.port, reset)
    for _ in range(8):
        network.tick(1.0)

    assert network.mapping(Protocol.TCP, network.alice, 5) is not None


@pytest.mark.parametrize(("at", "value"), [(AT_IP, 0x44), (AT_IP, 0x65), (AT_IP + 3, 19), (AT_IP + 2, 6)])
def test_a_header_that_makes_no_sense_gets_nowhere(at: int, value: int) -> None:
    """IHL, version, total length: the switch sees addresses of 0.0.0.0, and drops them, or the controller does."""
    network = Network(ports=8)
    data = changed(bytes(udp(network, network.alice, 5, SERVER)), at, value)

    assert network.feed(network.alice.port, data) == []
    assert len(network.router.nat) == 0


def test_the_fast_reader_takes_nothing_that_is_not_sound() -> None:
    """Both readers agree: what `common` takes is sound."""
    network = Network()
    sound = bytes(tcp(network, network.alice, 5, SERVER))
    ip = Ipv4.parse(sound)

    assert ip is not None
    assert ip.is_sound
    assert common(sound) == ip.packet()


def test_options_of_tcp_are_none_of_its_damage() -> None:
    """A data offset of more than 5 words is right where there are options."""
    network = Network(ports=8)
    syn = tcp(network, network.alice, 5, SERVER)
    syn[TCP].options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]

    assert len(network.send("alice", syn)) == 1
    assert network.router.drops.invalid == 0
