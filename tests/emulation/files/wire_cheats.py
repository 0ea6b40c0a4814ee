"""A NAT that cheats on the wire beside its honest work, and a scenario that has it cheat in each way in turn.

The cheating is a thread's, which sees all frames of a Linux router's ports and sends frames of its own. For each
deceit the scenario makes a few attempts, and reports which of the judge's findings have grown.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RS, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.packet import Raw

from testbed.api import Experiment, Opening, Parameters, Scenario, network_of
from testbed.traffic.wire import ANSWER, HELLO
from topologies.addresses import mac_of
from topologies.gateways.netfilter.gateway import NetfilterGateway

OUTGOING = 4
EVERY_PROTOCOL = 0x0003
ALICE, BOB, SERVER, MIRROR = "10.0.0.1", "10.0.0.2", "198.51.100.1", "203.0.113.1"
TO_BOB, TO_SERVER, TO_MIRROR = "inside2", "outside3", "outside4"
NOBODY, EXTERNAL, ECHO = "10.0.0.77", "192.0.2.1", 7
AT_THE_LIMIT = ("accepts_in_the_server_s_name", "accepts_and_resets", "answers_in_the_server_s_name")
"""The deceits about attempts for which the NAT has no port."""
PORTS = 4
NOTICED_WITHIN_S = 30.0

Sent = Iterator[tuple[str, Any]]
"""Frames that a deceit sends, each with the interface that it leaves by."""


def _mac(address: str) -> str:
    return mac_of(ipaddress.IPv4Address(address))


def _renewed(frame: Any, *, source: str = "", target: str = "") -> Any:
    """Return a copy of a frame with other addresses, a receiver's MAC, and right checksums."""
    copy = frame.copy()
    copy[IP].src, copy[IP].dst = source or copy[IP].src, target or copy[IP].dst
    copy[Ether].dst = _mac(copy[IP].dst)
    for layer in (IP, TCP, UDP):
        if layer in copy:
            del copy[layer].chksum
    return copy


class Deceits:
    """One method for each deceit. It gets each frame, with `inside` or `outside`, and whether it leaves there."""

    def __init__(self) -> None:
        self.seen: Counter[Any] = Counter()
        self.fooled: set[tuple[str, int]] = set()

    def spoofs_sources(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send each SYN a second time, from an address that is nobody's."""
        if side == "outside" and leaves and TCP in frame and frame[TCP].flags == "S":
            yield TO_SERVER, _renewed(frame, source="192.0.2.200")

    def passes_arp_on(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send the LAN's ARP broadcasts outside."""
        if side == "inside" and not leaves and ARP in frame and frame[Ether].dst == "ff:ff:ff:ff:ff:ff":
            yield TO_SERVER, frame

    def solicits_routers(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send IPv6 to the server, whose network has none."""
        if side == "outside" and leaves and IP in frame:
            yield TO_SERVER, Ether(dst=_mac(SERVER)) / IPv6(src="fe80::1", dst="ff02::2") / ICMPv6ND_RS()

    def copies_to_another_server(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send a copy of all that goes to the server to the mirror, addressed to it."""
        if side == "outside" and leaves and IP in frame and frame[IP].dst == SERVER:
            yield TO_MIRROR, _renewed(frame, target=MIRROR)

    def shows_another_server(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send a copy of all that goes to the server out of the mirror's port, as it is."""
        if side == "outside" and leaves and IP in frame and frame[IP].dst == SERVER:
            yield TO_MIRROR, frame

    def answers_bob_for_alice(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send the answers to alice to bob as well, addressed to him."""
        if side == "inside" and leaves and IP in frame and frame[IP].dst == ALICE:
            yield TO_BOB, _renewed(frame, target=BOB)

    def floods_the_lan(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send what is alice's out of bob's port as well, as a hub does."""
        if side == "inside" and leaves and IP in frame and frame[IP].dst == ALICE:
            yield TO_BOB, frame

    def answers_bob_in_another_ethertype(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send the answers to alice to everybody on bob's link, in frames of a protocol for experiments."""
        if side == "inside" and leaves and IP in frame and frame[IP].dst == ALICE:
            yield TO_BOB, Ether(dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(bytes(frame[IP]))

    def answers_bob_in_a_vlan(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send something to bob with the tag of a VLAN, which his kernel takes off at once."""
        if side == "inside" and leaves and IP in frame and frame[IP].dst == ALICE:
            yield TO_BOB, Ether(dst=_mac(BOB)) / Dot1Q(vlan=7) / IP(src=SERVER, dst=BOB) / UDP() / Raw(b"secret")

    def tunnels_to_the_server(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send all that goes to the server in a tunnel as well, with the inside source."""
        if side == "outside" and leaves and IP in frame and frame[IP].dst == SERVER:
            yield TO_SERVER, _to(SERVER) / GRE() / _renewed(frame, source=ALICE)[IP]

    def tunnels_to_bob(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send the answers to alice to bob in a tunnel."""
        if side == "inside" and leaves and IP in frame and frame[IP].dst == ALICE:
            yield TO_BOB, Ether(dst=_mac(BOB)) / IP(src=SERVER, dst=BOB) / GRE() / frame[IP]

    def doubles_in_fragments(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send the data of TCP both ways a second time, in fragments."""
        if leaves and TCP in frame and Raw in frame:
            copy = _renewed(frame)
            copy[IP].id, copy[IP].flags = 7, 0
            for fragment in copy[IP].fragment(24):
                yield (
                    TO_SERVER if side == "outside" else _inside_port(frame[IP].dst),
                    Ether(src=frame[Ether].src, dst=frame[Ether].dst) / fragment,
                )

    def quotes_inside_addresses(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Send an error to the server that shows what alice had sent."""
        if side == "inside" and not leaves and IP in frame and frame[IP].dst == SERVER:
            yield TO_SERVER, _to(SERVER) / ICMP(type=3, code=3) / Raw(bytes(frame[IP])[:60])

    def accepts_in_the_server_s_name(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Answer a SYN that comes a second time and never left, so that its client has a connection."""
        if TCP in frame and frame[TCP].flags == "S" and self._is_refused(frame[TCP].seq, side, leaves):
            self.fooled.add((frame[IP].src, frame[TCP].sport))
            yield _port_of(frame), _back(frame) / _segment(frame, flags="SA", seq=1, ack=frame[TCP].seq + 1)

    def accepts_and_resets(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Answer such a SYN, and reset the connection when the client sends on it."""
        yield from self.accepts_in_the_server_s_name(frame, side, leaves)
        if Raw in frame and TCP in frame and (frame[IP].src, frame[TCP].sport) in self.fooled:
            yield _port_of(frame), _back(frame) / _segment(frame, flags="R", seq=frame[TCP].ack)

    def answers_in_the_server_s_name(self, frame: Any, side: str, leaves: bool) -> Sent:
        """Answer a datagram that comes a second time and never left, as the server would."""
        if UDP in frame and frame[UDP].dport == ECHO:
            hello = bytes(frame[UDP].payload)[: HELLO.size]
            if self._is_refused(hello, side, leaves):
                answer = ANSWER.pack(*HELLO.unpack(hello), socket.inet_aton(EXTERNAL), 1024)
                yield _port_of(frame), _back(frame) / UDP(sport=ECHO, dport=frame[UDP].sport) / Raw(answer)

    def _is_refused(self, asked: Any, side: str, leaves: bool) -> bool:
        """Return whether a request comes again from inside, and has never left."""
        self.seen[asked, side, leaves] += 1
        return (
            side == "inside"
            and not leaves
            and self.seen[asked, side, leaves] > 1
            and not self.seen[asked, "outside", True]
        )


def _segment(frame: Any, **fields: Any) -> Any:
    return TCP(sport=frame[TCP].dport, dport=frame[TCP].sport, **fields)


def _port_of(frame: Any) -> str:
    """Return the interface of the client that sent a frame."""
    return _inside_port(frame[IP].src)


def _inside_port(client: str) -> str:
    """Return the interface of a client: that of its number, as its address has it."""
    return f"inside{client.rpartition('.')[2]}"


def _to(target: str) -> Any:
    """Return headers of a packet from the NAT's external address."""
    return Ether(dst=_mac(target)) / IP(src=EXTERNAL, dst=target)


def _back(frame: Any) -> Any:
    return Ether(src=frame[Ether].dst, dst=frame[Ether].src) / IP(src=frame[IP].dst, dst=frame[IP].src)


class Rogue(NetfilterGateway):
    """An honest NAT, and beside it a thread that does what `deceit` names."""

    deceit = ""

    def wait_ready(self) -> None:
        """Begin to see every frame when the router is ready."""
        super().wait_ready()
        with network_of(self.netns):
            self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        self._deceits = Deceits()
        threading.Thread(target=self._cheat, daemon=True).start()

    def _cheat(self) -> None:
        while True:
            data, (interface, _, kind, *_) = self._wire.recvfrom(2048)
            side = interface.rstrip("0123456789")
            if self.deceit and side in ("inside", "outside"):
                act: Callable[..., Sent] = getattr(self._deceits, self.deceit)
                for leaves_by, frame in act(Ether(data), side, kind == OUTGOING):
                    self._wire.sendto(bytes(frame), (leaves_by, 0))


class Forger(Rogue):
    """A NAT that accepts in the server's name what it has no port for."""

    deceit = "accepts_in_the_server_s_name"


class CheatParameters(Parameters):
    """The hosts: alice and bob."""

    clients: int = 2


class CheatingInTurn(Scenario[CheatParameters]):
    """Does each deceit show, and nothing else by it?"""

    settings = {"ports": PORTS, "tcp_trans_close_timeout": 1, "tcp_rst_timeout": 1}

    def run(self, x: Experiment[CheatParameters]) -> None:
        """Have the gateway cheat in each way in turn, and report which findings it moves."""
        deceits = [name for name in vars(Deceits) if not name.startswith("_")]
        traffic = {protocol: Traffic(x, protocol) for protocol in ("tcp", "udp")}
        moved, outcomes = {}, {}
        for deceit in ["", *deceits]:
            before = x.judge.findings()
            x.lab.gateway.deceit = deceit
            with x.phase(deceit or "honest"):
                refused = deceit in AT_THE_LIMIT
                protocol = "udp" if deceit == "answers_in_the_server_s_name" else "tcp"
                made = traffic[protocol].attempt(PORTS * 2 if refused else 1, patience=3.0 if refused else 8.0)
                if deceit == "passes_arp_on":
                    _ask_for_nobody(x)
                moved[deceit] = _growth(x, before, wait=bool(deceit))
                outcomes[deceit] = sorted({each.outcome for each in made})
            x.lab.gateway.deceit = ""
            x.lab.gateway.flush()
        x.series(moved=moved, outcomes=outcomes)
        x.check("each deceit was tried", expected=len(deceits) + 1, observed=len(moved), source="this file")
        x.account()


class Traffic:
    """Attempts of alice and bob in turn, to the server."""

    def __init__(self, x: Experiment[Any], protocol: str) -> None:
        self._servers = x.lab.serve(protocol, capacity=64)
        self._clients = x.lab.drive(protocol, attempts=64)
        self._next = 1

    def attempt(self, count: int, *, patience: float) -> list[Any]:
        """Make attempts, echo on them, and close them."""
        numbers = range(self._next, self._next + count)
        self._next += count
        openings = [Opening(number, place % 2, self._servers.targets[0]) for place, number in enumerate(numbers)]
        quiet: dict[str, Any] = {"window": 64, "progress": lambda done: None}
        made = self._clients.open(openings, patience=patience, first_window=64, **quiet)
        self._clients.echo(numbers, patience=patience, **quiet)
        self._clients.close(numbers, **quiet)
        return made


def _ask_for_nobody(x: Experiment[Any]) -> None:
    with network_of(x.lab.clients[1].netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"", (NOBODY, 9))


def _growth(x: Experiment[Any], before: dict[str, int], *, wait: bool) -> list[str]:
    """Return the findings that have grown. One that shrinks has been explained meanwhile."""
    deadline = time.monotonic() + (NOTICED_WITHIN_S if wait else 0.0)
    while True:
        now = x.judge.findings()
        grown = [key for key in now if now[key] > before[key]]
        if grown or time.monotonic() >= deadline:
            return grown
        time.sleep(0.02)
