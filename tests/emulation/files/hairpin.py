"""Do two inside hosts reach each other by their external endpoints?

Set-up        alice and bob inside, a server outside that tells each its external endpoint
Action        alice sends to bob's over UDP, in one piece and in fragments, and over TCP; bob answers. She sends to
              one that bob has left, and to endpoints that nobody has, and she pings the external address
Expectation   each sees the other as an outside host would: by its external endpoint (RFC 4787 REQ-9A, RFC 5382
              REQ-8), also in an error (RFC 5508 REQ-7). Endpoints of nobody cost nothing, and ports come back
"""

from __future__ import annotations

import errno
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.api import Counters, Experiment, Parameters, Scenario
from testbed.sandbox.linux import network_of

sys.path.insert(0, str(Path(__file__).parent))  # a run loads this file by its path, and knows no others beside it
from raw_packets import pinged, received, udp_socket

PORT, ALICE, BOB = 5300, 4000, 5000
DATA = random.Random(1).randbytes(4000)
MEGABYTES = 8
NOBODY, REFUSED = 20, "ECONNREFUSED"
REQ_9, REQ_8, REQ_7 = "RFC 4787 REQ-9, REQ-9A", "RFC 5382 REQ-8", "RFC 5508 REQ-7"
SETTLED_WITHIN_S = 60.0


class HairpinParameters(Parameters):
    """How long a packet may take."""

    within: float = 15.0


class Hairpin(Scenario[HairpinParameters]):
    """Do two inside hosts reach each other by their external endpoints?"""

    name = "hairpin"
    settings = {"ports": 64, "tcp_trans_close_timeout": 0.5}

    def run(self, x: Experiment[HairpinParameters]) -> None:
        """Let alice and bob speak."""
        self._alice, self._bob, self._server = x.lab.clients[0], x.lab.clients[1], x.lab.servers[0]
        self._s, self._external = x.lab.endpoint()[0], str(x.settings.external_addresses[0])
        with (
            udp_socket(self._server, self._s, PORT) as outside,
            udp_socket(self._alice, self._alice.IP(), ALICE) as alice,
            udp_socket(self._bob, self._bob.IP(), BOB) as bob,
        ):
            for each in (outside, alice, bob):
                each.settimeout(x.parameters.within)
            self._datagrams(x, outside, alice, bob)
        self._gone(x)
        self._connection(x)
        x.account()

    def _datagrams(
        self, x: Experiment[HairpinParameters], outside: socket.socket, alice: socket.socket, bob: socket.socket
    ) -> None:
        seen = {}
        for who, each in (("alice", alice), ("bob", bob)):
            each.sendto(b"who am I?", (self._s, PORT))
            _, seen[who] = received(outside)
        for what, data in (("a datagram", b"hello"), ("a datagram in fragments", DATA)):
            alice.sendto(data, seen["bob"])
            came, source = received(bob)
            bob.sendto(data, source if source[1] else (self._s, 9))
            back, answered_by = received(alice)
            observed = [came == data, *source]
            x.check(f"{what}, as bob sees it", expected=[True, *seen["alice"]], observed=observed, source=REQ_9)
            observed = [back == data, *answered_by]
            x.check(f"{what} back, as alice does", expected=[True, *seen["bob"]], observed=observed, source=REQ_9)
        taken = {endpoint[1] for endpoint in seen.values()}
        for port in [port for port in range(1024, 1024 + 64) if port not in taken][:NOBODY]:
            alice.sendto(b"nobody", (self._external, port))
        counters = self._counters(x, "udp", lambda each: (each["dropped_unmapped_packets"] or 0) >= NOBODY)
        x.check("ports that the two have", expected=2, observed=counters["ports_allocated"], source=REQ_9)
        dropped = counters["dropped_unmapped_packets"]
        x.check("datagrams that are for nobody", expected=NOBODY, observed=dropped, source="RFC 4787 section 6")
        answered = pinged(self._alice, "-c", "3", self._external)
        x.check("pings to the external address", expected=3, observed=answered, source="RFC 1122 section 3.2.2.6")

    def _gone(self, x: Experiment[HairpinParameters]) -> None:
        """Let bob end, and alice send: his kernel's error has to reach her."""
        with udp_socket(self._alice, self._alice.IP(), ALICE + 1) as alice:
            with (
                udp_socket(self._bob, self._bob.IP(), BOB + 1) as bob,
                udp_socket(self._server, self._s, PORT) as outside,
            ):
                bob.sendto(b"who am I?", (self._s, PORT))
                _, endpoint = received(outside)
            alice.settimeout(x.parameters.within)
            alice.connect(endpoint)
            alice.send(b"hello")
            try:
                alice.recv(100)
                failed = "none"
            except OSError as error:
                failed = errno.errorcode.get(error.errno or 0, "none")
        x.check(
            "the error that alice's kernel has of bob's", expected="ECONNREFUSED", observed=failed, source=REQ_7
        )

    def _connection(self, x: Experiment[HairpinParameters]) -> None:
        with network_of(self._server.netns):
            rendezvous = socket.create_server((self._s, PORT))
        listening, registered = reusable(self._bob, BOB), reusable(self._bob, BOB)
        near = reusable(self._alice, ALICE)
        near.settimeout(x.parameters.within)
        with rendezvous, listening, registered, near:
            registered.connect((self._s, PORT))
            peer, endpoint = rendezvous.accept()
            listening.listen()
            near.connect(endpoint)
            far, seen = listening.accept()
            sent = threading.Thread(target=send, args=(near, MEGABYTES << 20), daemon=True)
            sent.start()
            count = 0
            while data := far.recv(1 << 20):
                count += len(data)
            far.close()
            near.close()
            registered.close()
            peer.close()
        x.check("the address at which bob sees alice", expected=self._external, observed=seen[0], source=REQ_8)
        x.check("bytes over TCP", expected=MEGABYTES << 20, observed=count, source=REQ_8)
        left = self._counters(x, "tcp", lambda each: not each["ports_allocated"])["ports_allocated"]
        x.check(
            "ports that are left when both have closed", expected=0, observed=left, source="RFC 7857 section 2"
        )

    def _counters(
        self, x: Experiment[HairpinParameters], protocol: str, are_right: Callable[[Counters], bool]
    ) -> Counters:
        """Return the gateway's counters when they are right, or at last."""
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while not are_right(counters := x.counters(protocol)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return counters


def reusable(host: Any, port: int) -> socket.socket:
    """Return a TCP socket at a port that another one may have as well."""
    with network_of(host.netns):
        made = socket.socket()
    made.settimeout(10)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host.IP(), port))
    return made


def send(connection: socket.socket, total: int) -> None:
    """Send this number of bytes, and no more."""
    connection.sendall(bytes(total))
    connection.shutdown(socket.SHUT_WR)
