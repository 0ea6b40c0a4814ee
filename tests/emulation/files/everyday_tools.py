"""Do the tools that people have at hand work through the NAT, over a link with less room than the LAN?

Set-up        alice inside, a server outside, and a link between NAT and server with `outside_mtu` bytes of room
Action        traceroute by its three kinds of probe, tracepath, curl of 30 MB, iperf3, a DNS answer of 4,000 bytes
Expectation   what a router shows: each hop, the room of the path, and all bytes
"""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import subprocess
import threading
from typing import Any

from scapy.layers.dns import DNS, DNSQR, DNSRR

from testbed.api import Experiment, Parameters, Scenario, at_least
from testbed.sandbox.linux import network_of
from tests.emulation.files.raw_packets import received, udp_socket

WEB, NAMES = 8080, 5353
MEGABYTES = 30
TEXT = [bytes([65 + number]) * 190 for number in range(20)]


class EverydayTools(Scenario[Parameters]):
    """Do everyday tools work?"""

    name = "everyday-tools"
    settings = {"ports": 64}

    def run(self, x: Experiment[Parameters]) -> None:
        """Start each tool as a person would."""
        self._alice, self._server = x.lab.clients[0], x.lab.servers[0]
        self._to = x.lab.endpoint()[0]
        gateway = str(x.lab.topology.inside_address(self._alice.name))
        for kind, option in (("UDP", "-U"), ("ICMP", "-I"), ("TCP", "-T")):
            shown = re.findall(r"^ *\d+  (\S+)", self._run("traceroute", "-n", "-q", "1", option, self._to), re.M)
            x.check(
                f"traceroute by {kind}: hops",
                expected=[gateway, self._to],
                observed=shown,
                source="RFC 1812 section 5.3.1",
            )
        path = self._run("tracepath", "-n", self._to)
        x.check(
            "tracepath: room of the path, hops to the server and back",
            expected=[(str(x.parameters.outside_mtu), "2", "2")],
            observed=re.findall(r"Resume: pmtu (\d+) hops (\d+) back (\d+)", path),
            source="RFC 1191",
        )
        x.check(
            "hops that tracepath calls asymmetric",
            expected=0,
            observed=path.count("asymm"),
            source="RFC 1122 section 3.2.1.7: a gateway's own TTL is 64",
        )
        x.check(
            "bytes that curl downloads", expected=MEGABYTES << 20, observed=self._downloaded(), source="RFC 1191"
        )
        x.check(
            "bytes that iperf3 carries", expected=at_least(1 << 20), observed=self._streamed(), source="RFC 1191"
        )
        is_whole = self._asked() == TEXT
        x.check("a DNS answer of 4,000 bytes is whole", expected=True, observed=is_whole, source="RFC 4787 REQ-14")
        x.account()

    def _run(self, *command: str) -> str:
        entered = ["nsenter", f"--net={self._alice.netns}", *command]
        return subprocess.run(entered, capture_output=True, text=True, check=False).stdout

    def _downloaded(self) -> int:
        with network_of(self._server.netns):
            server = socketserver.TCPServer((self._to, WEB), File)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        shown = self._run("curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", f"http://{self._to}:{WEB}/")
        thread.join()
        server.server_close()
        return int(shown)

    def _streamed(self) -> int:
        enter = ["nsenter", f"--net={self._server.netns}"]
        server = subprocess.Popen(
            [*enter, "iperf3", "-s", "-1", "--forceflush"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        while "listening" not in (server.stdout.readline() or "listening"):
            pass
        report = json.loads(self._run("iperf3", "-J", "-t", "1", "-c", self._to))
        server.communicate()
        return int(report.get("end", {}).get("sum_received", {}).get("bytes", 0))

    def _asked(self) -> list[bytes]:
        with (
            udp_socket(self._server, self._to, NAMES) as server,
            udp_socket(self._alice, self._alice.IP(), NAMES) as alice,
        ):
            alice.sendto(bytes(DNS(qd=DNSQR(qname="lastport.example", qtype="TXT"))), (self._to, NAMES))
            query, client = received(server)
            records = [DNSRR(rrname="lastport.example", type="TXT", rdata=text) for text in TEXT]
            server.sendto(bytes(DNS(qr=1, id=DNS(query).id, qd=DNS(query).qd, an=records)), client)
            answer, _ = received(alice)
        return [record.rdata[0] for record in DNS(answer).an]


class File(http.server.BaseHTTPRequestHandler):
    """A file of MEGABYTES."""

    def do_GET(self) -> None:
        """Send it."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(MEGABYTES << 20))

    def log_message(self, *_: Any) -> None:
        """Write no log."""
