"""Two small scenarios with two NATs between the hosts."""

from __future__ import annotations

from typing import Any, ClassVar

from testbed.api import Experiment, Parameters, Scenario

PORTS = 4

SEND = f"""
import socket
sockets = []
for number in range({PORTS + 1}):
    each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    each.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    each.settimeout(5)
    each.connect(("198.51.100.1", 7))
    sockets.append(each)
    each.send(b"hello")
    try:
        each.recv(10)
    except OSError:
        _, [(_, _, data)], _, _ = each.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        print("kind", data[5], "code", data[6], "from", socket.inet_ntoa(data[20:24]))
"""
"""A program that sends from one socket after another, and prints the error of each before the next one sends: type
and code of struct sock_extended_err, and the address behind it. All sockets stay open."""

SERVE = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("198.51.100.1", 7))
while True:
    _, seen = server.recvfrom(10)
    server.sendto(f"{seen[0]} {seen[1]}".encode(), seen)
"""
"""A server that answers until it is ended, since a datagram may be lost, and a peer may ask again."""

PEER = """
import socket
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("", 5000))
while True:
    peer.settimeout(1)
    peer.sendto(b"where", ("198.51.100.1", 7))
    try:
        print(peer.recv(100).decode(), flush=True)
        break
    except TimeoutError:
        pass
peer.settimeout(20)
data = b""
while data != b"hello":  # but what the server says late
    data, sender = peer.recvfrom(100)
print(data.decode(), sender[0], flush=True)
"""

CALL = """
import socket
import time
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(25):
    caller.sendto(b"hello", ("{address}", {port}))
    time.sleep(0.2)
"""
"""A program that sends again and again for five seconds, from one socket. One datagram must reach its peer."""


class CarrierRefuses(Scenario[Parameters]):
    """Does a client behind its home's NAT get the error of a carrier without a free port, and from the carrier?"""

    name = "carrier-refuses"
    claim = "ICMP errors come through another NAT (RFC 5508 REQ-4)"
    topology = "carrier"
    settings: ClassVar[dict[str, Any]] = {"ports": PORTS, "on_exhaustion": "icmp"}

    @classmethod
    def of_each_gateway(cls, parameters: Any) -> dict[str, dict[str, Any]]:
        """Give the homes more ports than are needed."""
        return {"home-a": {"ports": 64}, "home-b": {"ports": 64}}

    def run(self, x: Experiment[Parameters]) -> None:
        """Have alice send from one socket more than there are ports, to a port at which no server listens."""
        told = x.lab.clients[0].pexec(["python3", "-c", SEND])[0].splitlines()
        x.check(
            "alice gets 3/13 from the carrier when its ports are taken, and before that 3/3 from the server",
            expected=["kind 3 code 3 from 198.51.100.1"] * PORTS + ["kind 3 code 13 from 100.64.255.254"],
            observed=told,
            source="RFC 5508 REQ-4 and REQ-8",
        )
        x.check(
            "no home's NAT has refused anything",
            expected=[0, 0],
            observed=[
                x.lab.gateways[name].counters("udp")["dropped_port_packets"] for name in ("home-a", "home-b")
            ],
            source="RFC 8512 dropped-port-packets",
        )
        x.account()


class PeersMeet(Scenario[Parameters]):
    """Does a peer in one home reach the external endpoint of a peer in the other?"""

    name = "peers-meet"
    claim = "with endpoint-independent mapping and filtering it does (RFC 5128)"
    topology = "two-homes"

    def run(self, x: Experiment[Parameters]) -> None:
        """Have alice ask the server for its external endpoint, and bob send to that."""
        alice, bob = x.lab.clients[:2]
        server = x.lab.servers[0].popen(["python3", "-c", SERVE])
        peer = alice.popen(["python3", "-u", "-c", PEER], text=True)
        address, port = peer.stdout.readline().split()
        caller = bob.popen(["python3", "-c", CALL.format(address=address, port=port)])
        x.check(
            "alice gets bob's datagram, from bob's external address",
            expected="hello 203.0.113.1",
            observed=peer.communicate(timeout=30)[0].strip(),
            source="RFC 4787 REQ-1 and REQ-8",
        )
        x.check("alice's endpoint is gateway-a's", expected="192.0.2.1", observed=address, source="RFC 5128")
        for endless in (server, caller):
            endless.terminate()
            endless.wait()
        x.account()
