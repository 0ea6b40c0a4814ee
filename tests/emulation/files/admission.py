"""Does what cannot be forwarded cost nothing, and does its sender learn why it is not forwarded?

Set-up        a NAT with 64 ports; raw sockets on two inside hosts and an outside one, which know nothing of the
              NAT, and programs with the kernel's own sockets
Action        of each kind of packet that cannot be forwarded, 64 from as many ports; probes with a TTL of 1;
              damaged pings; impossible sources from outside; 2,000 forged ARP replies
Expectation   no port is taken and nothing arrives; after each kind a sound datagram does; the gateway shows itself
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from testbed.api import Experiment, Parameters, Scenario, at_least
from testbed.sandbox.linux import network_of
from topologies.gateways.bridge import output

PORTS = 64
WITHIN_S = 5.0
SILENCE_S = 0.3
"""Seconds after which a frame that has not come will not come: the lab's own way takes some milliseconds."""
ALICE, BOB, SERVER, MIRROR = "10.0.0.1", "10.0.0.2", "198.51.100.1", "203.0.113.1"
INSIDE, OUTSIDE, EXTERNAL = "10.0.255.254", "198.51.100.254", "192.0.2.1"
SERVER_PORT = 7777
UDP, TCP, ICMP = 17, 6, 1

TRACE = """
import socket, struct, sys
target, kinds = sys.argv[1], {
    "UDP": (socket.SOCK_DGRAM, 0), "TCP": (socket.SOCK_STREAM, 0), "ICMP": (socket.SOCK_DGRAM, 1)}
for kind, (type_, protocol) in kinds.items():
    probe = socket.socket(socket.AF_INET, type_, protocol)
    probe.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    probe.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    probe.settimeout(5)
    try:
        probe.connect((target, 33434))
        if kind != "TCP":
            probe.send(b"\\x08\\0\\0\\0\\0\\0\\0\\1" + bytes(8))
            probe.recv(100)
    except OSError:
        pass
    try:
        _, [(_, _, data)], _, _ = probe.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        print(kind, data[5], data[6], socket.inet_ntoa(data[20:24]))
    except (OSError, ValueError):
        print(kind, "*")
"""
"""What traceroute does for its first hop: a probe of each kind with a TTL of 1, and the error that comes back."""


class Admission(Scenario[Parameters]):
    """What does a packet cost that cannot be forwarded?"""

    name = "admission"
    claim = "it costs nothing, and its sender learns why"
    settings = {"ports": PORTS, "hold_down_timeout": 0}

    def run(self, x: Experiment[Parameters]) -> None:
        """Try one kind after another."""
        wires = {host.name: Wire(host, x) for host in (*x.lab.clients[:2], x.lab.servers[0])}
        alice, bob, server = wires.values()
        with x.phase("from inside"):
            costly = {kind: costs(x, make, alice, bob, server) for kind, make in KINDS.items()}
        x.check(
            f"of {len(KINDS)} kinds of packet those that took a port, arrived, or left bob without a port",
            expected={},
            observed={kind: found for kind, found in costly.items() if found != (0, 0, True)},
            source="RFC 1812 section 5",
        )
        with x.phase("within"):
            alice.send(udp(1, to=BOB, payload=b"between"))
            x.check(
                "a datagram to bob by the gateway arrives untranslated, one hop further",
                expected=(ALICE, BOB, 63),
                observed=bob.ends(b"between"),
                source="RFC 3022 section 2",
            )
        with x.phase("errors"):
            self.errors(x, alice, server)
        with x.phase("damage"):
            self.damage(x, alice, server)
        with x.phase("from outside"):
            self.impossible_sources(x, alice, server)
        with x.phase("ARP"):
            self.forged_replies(x, alice, server)
        counters = x.counters()
        for name in ("martian", "spoofed", "invalid", "expired", "unrouted", "unresolved"):
            x.check(
                f"the gateway has counted dropped_{name}_packets",
                expected=at_least(1),
                observed=counters[f"dropped_{name}_packets"],
                source="RFC 1812",
            )
        x.account()

    def errors(self, x: Experiment[Parameters], alice: Wire, server: Wire) -> None:
        """Have the kernels of both sides trace, and send where there is no route, and where nobody is."""
        for host, target, gateway in ((x.lab.clients[0], SERVER, INSIDE), (x.lab.servers[0], EXTERNAL, OUTSIDE)):
            x.check(
                f"traceroute from {host.name} shows the gateway, by each kind of probe",
                expected=[f"{kind} 11 0 {gateway}" for kind in ("UDP", "TCP", "ICMP")],
                observed=host.pexec(["python3", "-c", TRACE, target])[0].splitlines(),
                source="RFC 1812 section 5.3.1",
            )
        alice.send(udp(2, to="8.8.8.8"))
        x.check(
            "a destination without a route: network unreachable",
            expected=(3, 0, INSIDE, ALICE, "8.8.8.8"),
            observed=alice.error("8.8.8.8"),
            source="RFC 1812 section 4.3.3.1",
        )
        alice.send(udp(2, to="198.51.100.77"))
        x.check(
            "a destination where nobody is: host unreachable",
            expected=(3, 1, INSIDE, ALICE, "198.51.100.77"),
            observed=alice.error("198.51.100.77"),
            source="RFC 1812 section 4.3.3.1",
        )
        for host, gateway in ((x.lab.clients[0], INSIDE), (x.lab.servers[0], OUTSIDE)):
            answer = host.pexec(["python3", "-c", TRACE.replace("IP_TTL, 1", "IP_TTL, 64"), gateway])[0]
            x.check(
                f"the gateway tells {host.name} that it is no server itself",
                expected=["UDP 3 3 " + gateway],
                observed=answer.splitlines()[:1],
                source="RFC 1122 section 3.2.2.1",
            )

    def damage(self, x: Experiment[Parameters], alice: Wire, server: Wire) -> None:
        """Send pings with one wrong bit, in both directions."""
        sound = ping(9, b"sound")
        alice.send(sound)
        arrived = server.frame(b"sound")
        x.check(
            "a sound ping arrives outside", expected=True, observed=arrived is not None, source="RFC 5508 REQ-1"
        )
        for name, at in (("ICMP checksum", 36), ("data", 45), ("IP checksum", 25)):
            alice.send(flipped(ping(9, name.encode()), at))
            x.check(
                f"a ping with a wrong {name} goes nowhere",
                expected=None,
                observed=server.frame(name.encode()[-4:]),
                source="RFC 1812 section 5.2.2",
            )
        assert arrived is not None
        identifier = struct.unpack_from("!H", arrived, 38)[0]
        for name, data in (("sound", None), ("damaged", 36)):
            reply = ping(identifier, b"answer " + name.encode(), source=SERVER, to=EXTERNAL, kind=0)
            server.send(reply if data is None else flipped(reply, data))
            x.check(
                f"a {name} echo reply is delivered: {data is None}",
                expected=data is None,
                observed=alice.frame(b"answer " + name.encode()) is not None,
                source="RFC 1812 section 5.2.2",
            )

    def impossible_sources(self, x: Experiment[Parameters], alice: Wire, server: Wire) -> None:
        """Send to alice's external endpoint from where nobody can be, then from a stranger."""
        alice.send(udp(3, payload=b"outward"))
        arrived = server.frame(b"outward")
        assert arrived is not None
        external = struct.unpack_from("!H", arrived, 34)[0]
        sources = (
            "127.0.0.1",
            "0.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "198.51.100.255",
            BOB,
            "10.0.255.255",
            INSIDE,
            EXTERNAL,
            OUTSIDE,
        )
        for source in sources:
            server.send(udp(7, source=source, to=EXTERNAL, to_port=external, payload=b"from " + source.encode()))
        server.send(udp(7, source="8.8.8.8", to=EXTERNAL, to_port=external, payload=b"from a stranger"))
        x.check(
            "with endpoint-independent filtering alice gets what any other host outside sends",
            expected=("8.8.8.8", ALICE, 63),
            observed=alice.ends(b"from a stranger"),
            source="RFC 4787 REQ-8",
        )
        x.check(
            "and nothing from where nobody can be",
            expected=[],
            observed=[each for each in sources if alice.has_seen(b"from " + each.encode() + b"\0")],
            source="RFC 1812 section 5.3.7, RFC 2827",
        )

    def forged_replies(self, x: Experiment[Parameters], alice: Wire, server: Wire) -> None:
        """Claim every address of the link, and the server's, 2,000 times in all, without having been asked."""
        alice.send(udp(4, payload=b"before the storm"))
        server.frame(b"before the storm", WITHIN_S)
        before, known = rules(x), x.counters()["neighbours"]
        for number in range(2000):
            mac = bytes([2, 0x66, 0, 0, number >> 8, number & 255])
            claimed = f"198.51.100.{number % 253 + 1}"
            server.send(server.gateway + mac + arp(2, mac, claimed, OUTSIDE))
            if number % 200 == 0:
                time.sleep(0.02)
        alice.send(udp(4, payload=b"after the storm"))
        x.check(
            "the server is still reached",
            expected=True,
            observed=server.frame(b"after the storm") is not None,
            source="RFC 826: nobody had asked",
        )
        x.check(
            "2,000 forged ARP replies: rules and neighbours added",
            expected=(0, 0),
            observed=(rules(x) - before, x.counters()["neighbours"] - known),
            source="RFC 826",
        )


class Wire:
    """A host's end of its link, as raw frames."""

    def __init__(self, host: Any, x: Experiment[Any]) -> None:
        with network_of(host.netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind(("eth0", 0))
        self._own = bytes.fromhex(host.MAC().replace(":", ""))
        self.gateway = bytes.fromhex(x.lab.topology.gateway_mac("gateway").replace(":", ""))
        self._seen: list[bytes] = []

    def send(self, frame: bytes) -> None:
        """Send a packet to the gateway, or a frame that begins with its MAC address."""
        if not frame.startswith(self.gateway):
            frame = self.gateway + self._own + b"\x08\x00" + frame
        self._socket.send(frame.ljust(60, b"\0"))

    def frames(self, within: float) -> Iterator[bytes]:
        """Yield the frames to this host that come until a deadline."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv(2000)
            except TimeoutError:
                return
            if frame.startswith(self._own):
                self._seen.append(frame)
                yield frame

    def frame(self, payload: bytes, within: float = SILENCE_S) -> bytes | None:
        """Return the first frame with a payload, or None if there is none in time."""
        return next((frame for frame in self.frames(within) if payload in frame), None)

    def has_seen(self, payload: bytes) -> bool:
        """Whether a frame with a payload has come, now or before."""
        for _ in self.frames(0.01):
            pass
        return any(payload in frame for frame in self._seen)

    def ends(self, payload: bytes) -> tuple[str, str, int] | None:
        """Return source, destination and TTL of the packet with a payload."""
        frame = self.frame(payload, WITHIN_S)
        return None if frame is None else (address(frame, 26), address(frame, 30), frame[22])

    def error(self, about: str) -> tuple[int, int, str, str, str] | None:
        """Return type, code and sender of an ICMP error about a packet to a host, and both ends of that packet."""
        for frame in self.frames(WITHIN_S):
            is_error = frame[12:14] == b"\x08\x00" and frame[23] == ICMP and frame[34] in (3, 11)
            if is_error and address(frame, 58) == about:
                return frame[34], frame[35], address(frame, 26), address(frame, 54), address(frame, 58)
        return None


def costs(
    x: Experiment[Any], make: Callable[[int], bytes], alice: Wire, bob: Wire, server: Wire
) -> tuple[int, int, bool]:
    """Send one packet from each of 64 ports, and return the ports taken, those that arrived, and bob's luck."""
    for port in range(1, PORTS + 1):
        alice.send(make(port))
    deadline = time.monotonic() + SILENCE_S
    arrived = sum(b"nonsense" in frame for frame in server.frames(SILENCE_S))
    time.sleep(max(0.0, deadline - time.monotonic()))
    taken = sum(x.counters(protocol)["ports_allocated"] or 0 for protocol in ("tcp", "udp", "icmp"))
    bob.send(udp(1, source=BOB, payload=b"bob's turn"))
    is_served = server.frame(b"bob's turn", WITHIN_S) is not None
    x.lab.gateway.flush()
    return taken, arrived, is_served


def packet(protocol: int, payload: bytes, *, source: str, to: str, ttl: int = 64, damage: int = 0) -> bytes:
    """Return an IPv4 packet; `damage` is added to its checksum."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    fields = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), 1, 0x4000, ttl, protocol)
    total = (checksum(fields + b"\0\0" + ends) + damage) & 0xFFFF
    return fields + struct.pack("!H", total) + ends + payload


def udp(
    port: int,
    *,
    source: str = ALICE,
    to: str = SERVER,
    to_port: int = SERVER_PORT,
    payload: bytes = b"nonsense",
    **fields: int,
) -> bytes:
    """Return a datagram without a checksum of its own."""
    data = payload + b"\0"
    return packet(
        UDP, struct.pack("!HHHH", port, to_port, 8 + len(data), 0) + data, source=source, to=to, **fields
    )


def syn(port: int, *, offset: int = 0x50, **fields: Any) -> bytes:
    """Return a SYN."""
    segment = struct.pack("!HHIIBBHHH", port, SERVER_PORT, 1, 0, offset, 2, 1024, 0, 0) + b"nonsense"
    return packet(TCP, segment, **{"source": ALICE, "to": SERVER, **fields})


def ping(
    identifier: int,
    data: bytes = b"nonsense",
    *,
    source: str = ALICE,
    to: str = SERVER,
    kind: int = 8,
    **fields: int,
) -> bytes:
    """Return an echo request or reply."""
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + data
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    return packet(ICMP, message, source=source, to=to, **fields)


def of_length(port: int, udp_length: int) -> bytes:
    """Return a datagram that gives a length of its own."""
    return packet(
        UDP, struct.pack("!HHHH", port, SERVER_PORT, udp_length, 0) + b"nonsense", source=ALICE, to=SERVER
    )


KINDS: dict[str, Callable[[int], bytes]] = {
    **{
        f"to {to}": lambda port, to=to: udp(port, to=to)
        for to in (
            "239.1.1.1",
            "255.255.255.255",
            "0.0.0.0",
            "127.0.0.1",
            "240.0.0.1",
            "8.8.8.8",
            EXTERNAL,
            "10.0.255.255",
            "198.51.100.255",
        )
    },
    "a SYN to 8.8.8.8": lambda port: syn(port, to="8.8.8.8"),
    "a ping to 8.8.8.8": lambda port: ping(port, to="8.8.8.8"),
    "to a neighbour by the gateway": lambda port: udp(port, to=BOB),
    "a TTL of 1": lambda port: udp(port, ttl=1),
    "a TTL of 0": lambda port: syn(port, ttl=0),
    "a ping with a TTL of 1": lambda port: ping(port, ttl=1),
    "a wrong checksum": lambda port: udp(port, damage=1),
    "a SYN with a wrong checksum": lambda port: syn(port, damage=1),
    "a UDP length beyond the packet": lambda port: of_length(port, 100),
    "a TCP data offset beyond the packet": lambda port: syn(port, offset=0xF0),
    "a TCP data offset within the header": lambda port: syn(port, offset=0x40),
    **{
        f"from {source}": lambda port, source=source: udp(port, source=source)
        for source in ("10.0.255.255", INSIDE, "10.0.0.77", BOB, "0.0.0.0", "127.0.0.1", EXTERNAL, "8.8.8.8")
    },
    "from many that are nobody": lambda port: udp(1, source=f"10.0.7.{port}"),
}
"""Packets that cannot be forwarded, from a port or with an identifier of alice's."""


def arp(operation: int, mac: bytes, sender: str, target: str) -> bytes:
    """Return an ARP message, from its EtherType on."""
    head = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return head + mac + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def flipped(data: bytes, at: int) -> bytes:
    """Return an IPv4 packet with one bit turned; `at` counts from the beginning of its frame."""
    changed = bytearray(data)
    changed[at - 14] ^= 0x10
    return bytes(changed)


def rules(x: Experiment[Any]) -> int:
    """Return the number of rules in the switch."""
    aggregate = output("ovs-ofctl", "-O", "OpenFlow13", "dump-aggregate", x.lab.gateway.name)
    return int(re.search(r"flow_count=(\d+)", aggregate)[1])


def address(frame: bytes, at: int) -> str:
    """Return the address at an offset of a frame."""
    return socket.inet_ntoa(frame[at : at + 4])


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
