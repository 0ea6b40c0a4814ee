"""What becomes of packets that the link outside of the NAT has no room for?

Set-up        alice inside, a server outside, and a link between NAT and server with `outside_mtu` bytes of room
Action        datagrams and pings with and without Don't Fragment, a probe of the path as tracepath makes it, and
              30 MB over TCP both ways
Expectation   what may be fragmented arrives in fragments; the sender of anything else is told the MTU, once and
              rightly, and takes no port; TCP finds its way
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import threading
import time
from pathlib import Path

from testbed.api import Experiment, Parameters, Scenario
from testbed.sandbox.linux import network_of

sys.path.insert(0, str(Path(__file__).parent))  # a run loads this file by its path, and knows no others beside it
from raw_packets import DONT_FRAGMENT, WITHIN_S, Wire, incoming, ipv4, pinged, received, udp, udp_socket

PORT, LISTENING = 5300, 5301
MEGABYTES = 30
DATA = random.Random(1).randbytes(3000)
REQ_13, REQ_13A = "RFC 4787 REQ-13, RFC 5508 section 7.1.1", "RFC 4787 REQ-13A"


class SmallLink(Scenario[Parameters]):
    """What becomes of packets that a link has no room for?"""

    name = "small-link"
    settings = {"ports": 64}

    def run(self, x: Experiment[Parameters]) -> None:
        """Send packets that are too large, by real kernels and as raw frames."""
        self._alice, self._server, self._mtu = x.lab.clients[0], x.lab.servers[0], x.parameters.outside_mtu
        self._a, self._s = self._alice.IP(), x.lab.endpoint()[0]
        self._told(x)
        self._in_fragments(x)
        self._discovered(x)
        self._pinged(x)
        self._carried(x)
        x.account()

    def _told(self, x: Experiment[Parameters]) -> None:
        """Send two datagrams that must not be fragmented, one of them as large as the link allows."""
        gateway = str(x.lab.topology.inside_address(self._alice.name))
        ends = (self._a, self._s)
        with Wire.of(x, self._alice).open() as wire, udp_socket(self._server, self._s, PORT) as outside:
            outside.settimeout(1.0)
            seen = []
            for size in (self._mtu + 1, self._mtu):
                packet = ipv4(ends, 17, udp(ends, (4000, PORT), DATA[: size - 28]), fragment=DONT_FRAGMENT)
                Wire.of(x, self._alice).send(packet)
                errors = [each for each in incoming(wire, 0.5) if each[9] == 1 and each[20] == 3]
                seen.append([told(error, packet) for error in errors])
                if size > self._mtu:
                    counted = x.counters("udp")["ports_allocated"]
            arrived, _ = received(outside)
        expected = [(4, self._mtu, gateway, True)]
        x.check("errors about a datagram one byte too large", expected=expected, observed=seen[0], source=REQ_13)
        if counted is not None and x.lab.gateway.counters("udp").get("packet_ins_known_mappings") is not None:
            x.check("ports that it took", expected=0, observed=counted, source=REQ_13)
        x.check("errors about one that fits", expected=[], observed=seen[1], source=REQ_13)
        x.check("bytes of that one that arrive", expected=self._mtu - 28, observed=len(arrived), source=REQ_13)

    def _in_fragments(self, x: Experiment[Parameters]) -> None:
        """Send a datagram that may be fragmented, and look at its fragments."""
        ends = (self._a, self._s)
        with Wire.of(x, self._server).open() as wire, udp_socket(self._server, self._s, PORT) as outside:
            Wire.of(x, self._alice).send(ipv4(ends, 17, udp(ends, (4000, PORT), DATA[:1400])))
            data, _ = received(outside)
            fragments = [each for each in incoming(wire, 0.5) if each[9] == 17]
        offsets = [int.from_bytes(each[6:8], "big") & 0x1FFF for each in fragments]
        fit = all(len(each) <= self._mtu for each in fragments)
        x.check("a datagram that may be fragmented", expected=True, observed=data == DATA[:1400], source=REQ_13A)
        x.check("its fragments are in order", expected=sorted(offsets), observed=offsets, source=REQ_13A)
        x.check("its fragments fit", expected=True, observed=fit, source="RFC 791 section 3.2")

    def _discovered(self, x: Experiment[Parameters]) -> None:
        """Do as tracepath does: ask alice's kernel, which the first datagram has taught."""
        with network_of(self._alice.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
            probe.connect((self._s, PORT + 1))
            deadline = time.monotonic() + WITHIN_S
            while (known := probe.getsockopt(socket.IPPROTO_IP, 14)) != self._mtu and time.monotonic() < deadline:
                with contextlib.suppress(OSError):  # the first is what teaches, if nothing has
                    probe.send(bytes(1472))
                time.sleep(0.05)  # what is awaited is a value of the kernel's
        x.check(
            "the MTU of the path, as alice's kernel knows it",
            expected=self._mtu,
            observed=known,
            source="RFC 1191",
        )

    def _pinged(self, x: Experiment[Parameters]) -> None:
        largest = self._mtu - 28
        for what, arguments, expected in (
            ("pings of 3,000 bytes", ("-s", "3000"), 3),
            ("pings that just fit and must not be fragmented", ("-M", "do", "-s", str(largest)), 3),
            ("pings that do not, and must not be either", ("-M", "do", "-s", str(largest + 1)), 0),
        ):
            answered = pinged(self._alice, "-c", "3", *arguments, self._s)
            x.check(f"{what}: answers", expected=expected, observed=answered, source=REQ_13)

    def _carried(self, x: Experiment[Parameters]) -> None:
        for way in ("from the server", "to the server"):
            x.check(
                f"bytes over TCP {way}",
                expected=MEGABYTES << 20,
                observed=self._transferred(is_download=way == "from the server"),
                source="RFC 1191",
            )

    def _transferred(self, *, is_download: bool) -> int:
        total, piece = MEGABYTES << 20, bytes(1 << 16)
        with network_of(self._server.netns):
            listening = socket.create_server((self._s, LISTENING))
        with network_of(self._alice.netns):
            near = socket.socket()
        with listening, near:
            near.settimeout(30)
            near.connect((self._s, LISTENING))
            far, _ = listening.accept()
            sender, taker = (far, near) if is_download else (near, far)

            def send() -> None:
                for _ in range(total // len(piece)):
                    sender.sendall(piece)
                sender.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send, daemon=True)
            thread.start()
            taker.settimeout(30)
            count = 0
            while data := taker.recv(1 << 20):
                count += len(data)
            thread.join()
            far.close()
        return count


def told(error: bytes, packet: bytes) -> tuple[int, int, str, bool]:
    """Return what an ICMP error tells: its code, an MTU, its sender, and whether it quotes the packet."""
    quotes = packet.startswith(error[28:])
    return error[21], int.from_bytes(error[26:28], "big"), socket.inet_ntoa(error[12:16]), quotes
