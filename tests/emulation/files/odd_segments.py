"""Raw frames at both ends of a NAT: strangers, SYNs that nobody asked for, simultaneous opens, odd queries.

Each scenario is both ends itself, by packet sockets in the hosts and frames made by Scapy. The hosts' kernels are
kept from resetting what they know nothing of, where that is not the question.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from testbed.api import Experiment, Parameters, Scenario, at_least, at_most, between
from testbed.sandbox.linux import network_of

ETH_P_ALL = 0x0003
ARRIVES_WITHIN_S = 5.0
QUIET_S = 0.3
"""Seconds after which a frame that has not arrived does not come."""
DROP_RESETS = (
    "add table ip t; add chain ip t o {type filter hook output priority 0;}; add rule ip t o tcp flags rst drop"
)


class Wire:
    """A packet socket at a host's only interface, and the MAC addresses of the host and of its gateway."""

    def __init__(self, host: Any, address: str, other: str, *, drop_resets: bool = False) -> None:
        with network_of(host.netns):
            if drop_resets:
                subprocess.run(["nft", DROP_RESETS], check=True)
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind(("eth0", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                any_socket.sendto(b"hello", (other, 9))  # so that the kernel asks for its gateway
        self.address, own = address, host.MAC()
        frame = next(self.frames(lambda packet: packet.src == own and UDP in packet and packet[UDP].dport == 9))
        self._ethernet = Ether(src=frame.src, dst=frame.dst)

    def send(self, packet: Packet) -> None:
        """Send an IPv4 packet to the gateway."""
        self._socket.send(bytes(self._ethernet / packet))

    def frames(self, wanted: Any, within: float = ARRIVES_WITHIN_S) -> Iterator[Packet]:
        """Yield the frames that arrive or leave, and are wanted."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                frame = Ether(self._socket.recv(2048))
                if wanted(frame):
                    yield frame

    def arrival(self, source: str, kind: type[Packet] = TCP, within: float = ARRIVES_WITHIN_S) -> Packet | None:
        """Return the next packet of a kind that arrives from an address, or None if none does in time."""

        def is_one(frame: Packet) -> bool:
            # A datagram's error quotes UDP, and comes from the kernel.
            return _comes(frame, source=source, to=self.address) and kind in frame and UDP not in frame

        frame = next(self.frames(is_one, within), None)
        return None if frame is None else frame[IP]


def _comes(frame: Packet, *, source: str, to: str) -> bool:
    return IP in frame and frame[IP].dst == to and frame[IP].src == source


def segment(source: str, sport: int, target: str, dport: int, flags: str) -> Packet:
    """Return a TCP segment."""
    return IP(src=source, dst=target, flags="DF") / TCP(sport=sport, dport=dport, flags=flags, seq=1000, ack=1001)


class Strangers(Scenario[Parameters]):
    """Can a stranger hold a port by sending segments that belong to no connection?

    Alice's kernel connects to the server, and then is silent. The idle timer is 3 s, and 1 s follows it. Before, a
    stranger fills the table of 8 sessions with SYNs that alice's host does not answer, and alice connects again.
    """

    claim = "a stranger's segments reach nobody and keep nothing"
    settings = {
        "ports": 4,
        "limit_sessions": 8,
        "tcp_idle_timeout": 3,
        "tcp_rst_timeout": 1,
        "tcp_trans_open_timeout": 2,
    }

    def run(self, x: Experiment[Parameters]) -> None:
        """Let the mirror send a bare ACK each 0.7 s to alice's external endpoint, for 16 s or until it is free."""
        alice, server, mirror = x.lab.clients[0], *x.lab.servers
        own, target, stranger = alice.IP(), server.IP(), mirror.IP()
        inside, outside = Wire(alice, own, target, drop_resets=True), Wire(mirror, stranger, "192.0.2.1")
        with network_of(server.netns):
            listener = socket.create_server((target, 7777))
        with network_of(alice.netns):
            client = socket.create_connection((target, 7777), timeout=30)
        accepted, (address, port) = listener.accept()
        for number in range(20):
            outside.send(segment(stranger, 20000 + number, address, port, "S"))
        knocks = inside.frames(functools.partial(_comes, source=stranger, to=own), within=5.0)
        knocked = len(list(itertools.islice(knocks, 20)))
        with network_of(alice.netns):
            second = socket.create_connection((target, 7777), timeout=5)
        refused = x.counters("tcp")["dropped_state_limit_packets"]
        started, freed = time.monotonic(), None
        kinds = ["A", "SA", "PA", "FA", "R"]
        for number in range(23):
            outside.send(segment(stranger, 40000, address, port, kinds[number % len(kinds)]))
            time.sleep(0.7)
            if freed is None and not x.counters("tcp")["ports_allocated"]:
                freed = time.monotonic() - started
                break
        delivered = list(inside.frames(functools.partial(_comes, source=stranger, to=own), QUIET_S))
        client.close(), second.close(), accepted.close(), listener.close()

        x.check("SYNs of the stranger that reached alice", expected=20, observed=knocked, source="RFC 5382 REQ-3")
        x.check(
            "packets that found no session, in a table full of the stranger's",
            expected=0,
            observed=refused,
            source="limit_sessions: strangers without an answer give way",
        )
        x.check(
            "segments of the stranger that reached alice", expected=0, observed=len(delivered), source="RFC 5382"
        )
        x.check(
            "seconds until the idle connection's port was free",
            expected=between(4.0, 8.0),
            observed=round(freed or 99.0, 1),
            source="RFC 7857 section 7: tcp_idle_timeout, tcp_rst_timeout, counts that are read four times",
        )
        x.account()


class UnsolicitedSyns(Scenario[Parameters]):
    """What becomes of a SYN that nobody inside asked for, and can it become a connection?"""

    claim = "an unsolicited SYN gets no answer for six seconds, and may meet an inside one meanwhile"
    settings = {"ports": 64, "filtering_type": "edf"}

    def run(self, x: Experiment[Parameters]) -> None:
        """Send two SYNs from outside; let alice open the second connection after 3 s; time the answers."""
        alice, server = x.lab.clients[0], x.lab.servers[0]
        own, target = alice.IP(), server.IP()
        inside = Wire(alice, own, target, drop_resets=True)
        outside = Wire(server, target, "192.0.2.1", drop_resets=True)
        inside.send(segment(own, 30000, target, 1, "S"))
        opened = outside.arrival("192.0.2.1")
        assert opened is not None
        port = opened[TCP].sport
        started = time.monotonic()
        outside.send(segment(target, 2, "192.0.2.1", 5000, "S"))
        outside.send(segment(target, 3, "192.0.2.1", port, "S"))
        early = outside.arrival("192.0.2.1", IP, 3.0)
        inside.send(segment(own, 30000, target, 3, "S"))
        met = outside.arrival("192.0.2.1")
        outside.send(segment(target, 3, "192.0.2.1", port, "S"))
        crossed = inside.arrival(target)
        sequence = []
        for wire, source, peer, frame in (
            (inside, own, outside, segment(own, 30000, target, 3, "SA")),
            (outside, target, inside, segment(target, 3, "192.0.2.1", port, "SA")),
            (inside, own, outside, segment(own, 30000, target, 3, "PA")),
            (outside, target, inside, segment(target, 3, "192.0.2.1", port, "PA")),
        ):
            wire.send(frame)
            arrived = peer.arrival("192.0.2.1" if source == own else target)
            sequence.append(None if arrived is None else str(arrived[TCP].flags))
        answers = []
        while (answer := outside.arrival("192.0.2.1", IP, started + 12.0 - time.monotonic())) is not None:
            answers.append((time.monotonic() - started, answer))

        req = "RFC 5382 REQ-4"
        x.check("answers within 3 s", expected=0, observed=int(early is not None), source=req)
        x.check(
            "alice's SYN arrives outside, with the port that the peer knows",
            expected=("S", port),
            observed=(str(met[TCP].flags), met[TCP].sport) if met else None,
            source=req,
        )
        x.check(
            "the peer's next SYN arrives inside",
            expected="S",
            observed=str(crossed[TCP].flags) if crossed else None,
            source="RFC 5382 REQ-2A",
        )
        x.check("SYN/ACK and data pass both ways", expected=["SA"] * 2 + ["PA"] * 2, observed=sequence, source=req)
        kinds = [
            (packet[ICMP].type, packet[ICMP].code, IP(bytes(packet[ICMP].payload))[TCP].sport)
            for _, packet in answers
            if ICMP in packet
        ]
        x.check("answers: one, about the SYN that met none", expected=[(3, 3, 2)], observed=kinds, source=req)
        x.check(
            "seconds until it came",
            expected=between(6.0, 8.0),
            observed=round(answers[0][0], 1) if answers else None,
            source=req,
        )
        x.account()


class OddQueries(Scenario[Parameters]):
    """Do timestamp and mask queries get out and back, and what becomes of other protocols?"""

    claim = "queries are translated by their identifiers, and other protocols are dropped and counted"
    settings = {"ports": 8}

    def run(self, x: Experiment[Parameters]) -> None:
        """Send queries and answer them by hand; then packets of other protocols both ways."""
        alice, server = x.lab.clients[0], x.lab.servers[0]
        own, target = alice.IP(), server.IP()
        inside, outside = Wire(alice, own, target), Wire(server, target, "192.0.2.1")
        results = {}
        for name, query, reply in (("timestamp", 13, 14), ("mask", 17, 18)):
            inside.send(IP(src=own, dst=target) / ICMP(type=query, id=77, seq=1))
            arrived = outside.arrival("192.0.2.1", ICMP)
            assert arrived is not None
            outside.send(IP(src=target, dst="192.0.2.1") / ICMP(type=reply, id=arrived[ICMP].id, seq=1))
            while (back := inside.arrival(target, ICMP)) is not None and back[ICMP].type != reply:
                pass  # the server's kernel answered too
            results[name] = (arrived[ICMP].id in range(1024, 1032), back[ICMP].id if back else None)
        for wire, packet in (
            (inside, IP(src=own, dst=target)),
            (outside, IP(src=target, dst="192.0.2.1")),
        ):
            for number in (33, 47, 50, 132, 136):
                wire.send(packet.copy() / Raw(bytes(20)))
                other = packet.copy() / Raw(bytes(20))
                other.proto = number
                wire.send(other)
        leaked = [
            frame[IP].proto
            for wire, source in ((outside, "192.0.2.1"), (inside, target), (outside, own))
            for frame in wire.frames(lambda f: IP in f and f[IP].proto in (33, 47, 50, 132, 136), QUIET_S)
            if frame[IP].src == source and frame[IP].dst == wire.address
        ]

        x.check(
            "identifiers outside are the pool's, and come back",
            expected={"timestamp": (True, 77), "mask": (True, 77)},
            observed=results,
            source="RFC 5508 REQ-1",
        )
        x.check("packets of other protocols that passed", expected=[], observed=leaked, source="RFC 6888 REQ-1")
        counters = x.counters("icmp")
        x.agrees(
            "packets of other protocols that it dropped", at_least(10), "dropped_protocol_packets", of=counters
        )
        x.agrees("identifiers in use", at_most(1), "ports_allocated", of=counters)
        x.account()


class Exceptions(Scenario[Parameters]):
    """Is an inside server reached by its static mapping, and does an untranslated destination see the inside?"""

    claim = "static mappings admit the outside, and untranslated destinations see the inside"
    settings = {
        "ports": 8,
        "static_mappings": ["tcp 192.0.2.1:1030 10.0.0.1:80"],
        "untranslated_destinations": ["203.0.113.0/24"],
    }

    def run(self, x: Experiment[Parameters]) -> None:
        """Connect from outside to alice's server, and from alice to the untranslated mirror, by real kernels."""
        alice, server, mirror = x.lab.clients[0], *x.lab.servers
        served = _connection(server, ("192.0.2.1", 1030), alice, ("10.0.0.1", 80))
        seen = _connection(alice, (mirror.IP(), 7777), mirror, (mirror.IP(), 7777))
        translated = _connection(alice, (server.IP(), 7777), server, (server.IP(), 7777))

        x.check(
            "alice's server sees the outside host",
            expected=(server.IP(), "hello"),
            observed=served,
            source="RFC 8512",
        )
        x.check(
            "the mirror sees alice herself",
            expected=(alice.IP(), "hello"),
            observed=seen,
            source="RFC 6888 REQ-6",
        )
        x.check(
            "the server sees the NAT",
            expected=("192.0.2.1", "hello"),
            observed=translated,
            source="RFC 4787 REQ-1",
        )
        x.agrees("ports allocated", 2, "ports_allocated", of=x.counters("tcp"))
        x.account()


def _connection(client: Any, to: tuple[str, int], host: Any, at: tuple[str, int]) -> tuple[str, str] | None:
    """Connect by real sockets, send a word both ways, and return whom the server saw and what came back."""
    with network_of(host.netns):
        listener = socket.create_server(at)
    listener.settimeout(5)
    with listener, network_of(client.netns):
        try:
            connection = socket.create_connection(to, timeout=30)
        except OSError:
            return None
        accepted, (address, _) = listener.accept()
        with connection, accepted:
            connection.sendall(b"hello")
            accepted.sendall(accepted.recv(5))
            return address, connection.recv(5).decode()
