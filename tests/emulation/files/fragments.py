"""Do packets pass the NAT that no link has room for, in whatever order their fragments come?

Set-up        alice and bob inside, a server outside, with their kernels; raw sockets for what no kernel would send
Action        ping with 3,000 bytes, datagrams of 4,000 both ways, and fragments of UDP and TCP shuffled, doubled,
              overlapping, of two hosts with one identification, and a flood of such as never come whole
Expectation   every packet arrives as it was sent, translated; none that contradicts itself; and the flood impairs
              nothing
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from testbed.api import Experiment, Parameters, Scenario, at_least
from testbed.sandbox.linux import network_of

sys.path.insert(0, str(Path(__file__).parent))  # a run loads this file by its path, and knows no others beside it
from raw_packets import Wire, in_fragments, incoming, ipv4, pinged, received, syn, udp, udp_socket

PORT, LISTENING = 5300, 5301
DATA = random.Random(1).randbytes(4000)
REQ_14 = "RFC 4787 REQ-14"


class FragmentsParameters(Parameters):
    """How long a packet may take, and of how many datagrams of a kind each has to pass."""

    within: float = 5.0
    datagrams: int = 20


class Fragments(Scenario[FragmentsParameters]):
    """Do packets pass the NAT in fragments?"""

    name = "fragments"
    settings = {"ports": 64}

    def run(self, x: Experiment[FragmentsParameters]) -> None:
        """Send packets of every kind, in fragments."""
        self._alice, self._bob, self._server = x.lab.clients[0], x.lab.clients[1], x.lab.servers[0]
        self._a, self._b, self._s = self._alice.IP(), self._bob.IP(), x.lab.endpoint()[0]
        self._mac = Wire.of(x, self._alice).to
        self._external = str(x.settings.external_addresses[0])
        with udp_socket(self._server, self._s, PORT) as outside, udp_socket(self._alice, self._a, 4000) as inside:
            inside.settimeout(x.parameters.within)
            outside.settimeout(x.parameters.within)
            self._pings(x)
            self._of_kernels(x, inside, outside)
            self._shuffled(x, inside, outside)
            self._at_once(x, outside)
            self._contradictory(x, outside)
            self._flooded(x, inside, outside)
        self._tcp(x)
        x.account()

    def _pings(self, x: Experiment[FragmentsParameters]) -> None:
        gateway = str(x.lab.topology.inside_address(self._alice.name))
        for what, address in (("the server", self._s), ("the gateway itself", gateway)):
            answered = pinged(self._alice, "-s", "3000", "-c", "3", address)
            x.check(f"pings of 3,000 bytes that {what} answers", expected=3, observed=answered, source=REQ_14)

    def _of_kernels(
        self, x: Experiment[FragmentsParameters], inside: socket.socket, outside: socket.socket
    ) -> None:
        inside.sendto(DATA, (self._s, PORT))
        data, source = received(outside)
        x.check("a datagram of 4,000 bytes", expected=True, observed=data == DATA, source=REQ_14)
        x.check("its source", expected=self._external, observed=source[0], source="RFC 4787 REQ-1")
        inside.sendto(b"a question", (self._s, PORT))
        _, source = received(outside)
        outside.sendto(DATA, source)
        answer, _ = received(inside)
        x.check("an answer of 4,000 bytes", expected=True, observed=answer == DATA, source=REQ_14)

    def _shuffled(self, x: Experiment[FragmentsParameters], inside: socket.socket, outside: socket.socket) -> None:
        chance, out, back = random.Random(x.lab.seed), [], []
        for number in range(1, 1 + x.parameters.datagrams):
            content = DATA[number:]
            self._send(self._alice, self._udp((self._a, self._s), (4000, PORT), content, number), chance)
            data, (_, port) = received(outside)
            out.append(data == content)
            ends = (self._s, self._external)
            self._send(self._server, self._udp(ends, (PORT, port), content, number), chance)
            back.append(received(inside)[0] == content)
        claim = "datagrams whose fragments are shuffled and partly doubled"
        x.check(f"{claim}, outbound", expected=x.parameters.datagrams, observed=sum(out), source=REQ_14)
        x.check(f"{claim}, inbound", expected=x.parameters.datagrams, observed=sum(back), source=REQ_14)

    def _at_once(self, x: Experiment[FragmentsParameters], outside: socket.socket) -> None:
        other = DATA[::-1]
        ours = self._udp((self._a, self._s), (4000, PORT), DATA, 7)
        theirs = self._udp((self._b, self._s), (4000, PORT), other, 7)
        for one, another in zip(ours, theirs, strict=True):
            Wire.of(x, self._alice).send(one)
            Wire.of(x, self._bob).send(another)
        data = {received(outside)[0] for _ in range(2)}
        x.check(
            "datagrams of two hosts with one identification that arrive as sent",
            expected=2,
            observed=len(data & {DATA, other}),
            source="RFC 7857 section 10",
        )

    def _contradictory(self, x: Experiment[FragmentsParameters], outside: socket.socket) -> None:
        first, *rest = self._udp((self._a, self._s), (4000, PORT), DATA, 8)
        forged = ipv4((self._a, self._s), 17, first[28:36] * 4, identification=8, fragment=0x2001)
        Wire.of(x, self._alice).send(first, forged, *rest)
        outside.settimeout(1.0)
        data, _ = received(outside)
        outside.settimeout(x.parameters.within)
        x.check(
            "bytes of a datagram with overlapping fragments", expected=0, observed=len(data), source="RFC 1858"
        )

    def _flooded(self, x: Experiment[FragmentsParameters], inside: socket.socket, outside: socket.socket) -> None:
        """Send datagrams while bob sends fragments of no whole packet, as fast as it can."""
        over = threading.Event()
        orphans = [
            ipv4((self._b, self._s), 17, bytes(64), identification=number, fragment=0x2000 + 10)
            for number in range(10_000)
        ]

        def flood() -> None:
            while not over.is_set():
                Wire.of(x, self._bob).send(*orphans)

        flooding = threading.Thread(target=flood)
        flooding.start()
        passed = 0
        for _ in range(x.parameters.datagrams):
            inside.sendto(DATA, (self._s, PORT))
            passed += received(outside)[0] == DATA
        over.set()
        flooding.join()
        x.check(
            "datagrams that pass amid a flood of orphans",
            expected=at_least(x.parameters.datagrams * 3 // 4),
            observed=passed,
            source="RFC 4787 REQ-14a",
        )

    def _tcp(self, x: Experiment[FragmentsParameters]) -> None:
        with network_of(self._server.netns), socket.create_server((self._s, LISTENING)):
            ends, sequence = (self._a, self._s), 1_000_000
            segment = syn(ends, (4001, LISTENING), sequence, DATA[:1000])
            with Wire.of(x, self._alice).open() as wire:
                for fragment in reversed(in_fragments(ends, 6, segment, size=400, identification=9)):
                    Wire.of(x, self._alice).send(fragment)
                answers = [
                    struct.unpack_from("!IB", packet, 28)[0] - sequence
                    for packet in first(
                        incoming(wire, x.parameters.within), lambda packet: packet[9] == 6 and packet[33] == 0x12
                    )
                ]
        x.check(
            "a SYN in fragments is answered by the server's kernel, which acknowledges",
            expected=[1],
            observed=answers,
            source="RFC 5382 REQ-1, RFC 4787 REQ-14",
        )

    def _udp(self, ends: tuple[str, str], ports: tuple[int, int], data: bytes, identification: int) -> list[bytes]:
        return in_fragments(ends, 17, udp(ends, ports, data), size=1000, identification=identification)

    def _send(self, host: object, fragments: list[bytes], chance: random.Random) -> None:
        doubled = [*fragments, chance.choice(fragments[:-1])]
        chance.shuffle(doubled)
        Wire(host, self._mac).send(*doubled)


def first(packets: Iterator[bytes], is_meant: Callable[[bytes], bool]) -> list[bytes]:
    """Return the first packet that is meant, in a list, or an empty list."""
    return list(itertools.islice(filter(is_meant, packets), 1))
