"""Frames of every kind, sane or not, from any host of the topology home: what a gateway must be able to stand."""

from __future__ import annotations

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Side
from tests.support.network import BROADCAST, Network
from topologies.gateways.bridge import OUTSIDE_VLAN

ADDRESSES = (
    *("10.0.0.1", "10.0.0.2", "10.0.0.77", "10.0.255.254", "10.0.255.255"),
    *("192.0.2.1", "192.0.2.2"),
    *("198.51.100.1", "198.51.100.2", "198.51.100.254", "203.0.113.1", "203.0.113.254"),
    *("8.8.8.8", "0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"),
)
"""Hosts' addresses, the gateway's own, external ones, strangers', and such as no packet should have."""
INSIDE_TARGETS = ("198.51.100.1", "203.0.113.1")
OUTSIDE_TARGETS = ("192.0.2.1", "10.0.0.1", "10.0.0.2")
PORTS = (0, 7, 1024, 1025, 40000, 65535)
FLAGS = ("S", "SA", "A", "F", "FA", "R", "RA", "SF", "SR", "FR", "FSRPAU", "", "PA")


def _transports() -> st.SearchStrategy[Layer]:
    ports = st.sampled_from(PORTS)
    return st.one_of(
        st.builds(lambda s, d, flags: TCP(sport=s, dport=d, flags=flags), ports, ports, st.sampled_from(FLAGS)),
        st.builds(lambda s, d: UDP(sport=s, dport=d), ports, ports),
        st.builds(
            lambda kind, identifier: ICMP(type=kind, id=identifier),
            st.sampled_from((0, 3, 8, 11, 13)),
            st.sampled_from(PORTS),
        ),
        st.just(Raw(b"not a transport protocol")),
    )


@st.composite
def ipv4(draw: st.DrawFn, source: str, destinations: tuple[str, ...]) -> Layer:
    """An IPv4 packet, often sane, perhaps a fragment, with options, or of a protocol that is not translated."""
    transport = draw(_transports())
    packet = IP(
        src=draw(st.sampled_from((source,) * len(ADDRESSES) + ADDRESSES)),
        dst=draw(st.sampled_from(destinations * 5 + ADDRESSES)),
        ttl=draw(st.sampled_from((64, 64, 64, 2, 1, 0))),
        options=draw(st.sampled_from(([], [], [IPOption_NOP()] * 4))),
    )
    packet.flags, packet.frag = draw(st.sampled_from(((0, 0),) * 5 + ((1, 0), (1, 100), (0, 100))))
    if isinstance(transport, Raw):
        packet.proto = draw(st.sampled_from((0, 1, 2, 6, 17, 41, 47, 50, 132)))
    return packet / transport / Raw(draw(st.binary(max_size=9)))


def arps() -> st.SearchStrategy[Layer]:
    """An ARP message with any addresses."""
    addresses, macs = st.sampled_from(ADDRESSES), st.sampled_from(("02:00:0a:00:00:01", "02:00:c6:33:64:01"))
    return st.builds(
        lambda op, hwsrc, psrc, pdst: ARP(op=op, hwsrc=hwsrc, psrc=psrc, pdst=pdst),
        st.sampled_from((1, 2)),
        macs,
        addresses,
        addresses,
    )


@st.composite
def frames(draw: st.DrawFn, network: Network, senders: list[str]) -> tuple[int, bytes]:
    """Return a port of the gateway, and the bytes of a frame that comes in there."""
    host = network.hosts[draw(st.sampled_from(senders))]
    macs = [other.mac for other in network.hosts.values()]
    to = draw(st.sampled_from([network.mac] * 12 + [BROADCAST, "01:00:5e:00:00:01", *macs]))
    frame = Ether(src=host.mac, dst=to)
    tag = draw(st.sampled_from((None,) * 9 + (1, OUTSIDE_VLAN)))
    if tag is not None:
        frame /= Dot1Q(vlan=tag)
    targets = INSIDE_TARGETS if host.side is Side.INSIDE else OUTSIDE_TARGETS
    packets = ipv4(host.address, targets)
    payload = draw(st.one_of(packets, packets, packets, packets, arps(), st.just(Raw(bytes(46)))))
    data = bytes(frame / payload)
    cut = draw(st.sampled_from((0,) * 8 + (8, 20)))
    return host.port, data[: max(14, len(data) - cut)]
