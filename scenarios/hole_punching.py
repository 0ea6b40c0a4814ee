"""Two hosts behind two NATs want to talk to each other directly, with a server that only introduces them.

Set-up        two homes, each behind a NAT of its own, and a rendezvous server (topology two-homes)
Action        each peer asks the server from where it is seen, at three of its endpoints, and once more with a
              socket that asks at one of them only, to which then all three send; the server tells each the
              other's endpoint; then both send to that, again and again, and answer whatever comes in
Expectation   the answer follows from how the NATs map and filter: what they declare is put together by the
              definitions of RFC 4787 (`meets`), and must come true
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections import Counter
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from testbed.evidence.outcomes import OUTCOMES
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, Scenario
from testbed.sandbox.linux import network_of
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

PORTS = (3478, 3479)
"""Where the server listens: the ports of STUN (RFC 8489), and the next (RFC 5780)."""
ASK_EVERY_S = 0.2
INTRODUCED_WITHIN_S = 10.0
SHARED_BY = {"eim": 3, "adm": 2, "edm": 1}
"""Of three server endpoints, two on one address: how many see one external endpoint."""
LET_IN = {
    "eif": ["who was asked", "another port", "another address"],
    "adf": ["who was asked", "another port"],
    "edf": ["who was asked"],
}
"""Of the server's three endpoints: whom the NAT lets in to a socket that has asked at the first of them."""
KNOCKS = 5
"""How often each of them tries, one every ASK_EVERY_S: a packet may be lost on a busy machine."""


class PunchingParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(2, strict=True, ge=2, description="hosts of both homes; the first of each are the peers")
    patience: float = Field(
        3.0, strict=True, ge=0.5, le=60, description="seconds for which the peers try to reach each other"
    )


def meets(mapping: str, filtering: str) -> bool:
    """Return whether peers behind two NATs that behave so can reach each other (RFC 5128 section 3.3).

    Each sends to where the server saw the other. Where mapping depends on the destination, that is a port through
    which the other has sent to the server alone: it takes a NAT that filters nobody. Otherwise it is the very port
    through which the other has just sent to us, and every NAT lets us in.
    """
    return mapping == "eim" or filtering == "eif"


class HolePunching(Scenario):
    """Behind which NATs can two hosts reach each other directly?"""

    name = "hole-punching"
    claim = "what happens is implementation dependent"
    topology = "two-homes"
    gateways = ("gateway-a", "gateway-b")
    Parameters: ClassVar[type[Parameters]] = PunchingParameters
    settings: ClassVar[dict[str, Any]] = {"hold_down_timeout": 0}

    @classmethod
    def complete(
        cls, parameters: PunchingParameters, settings: Settings
    ) -> tuple[PunchingParameters, dict[str, Any]]:
        """Let no mapping end meanwhile."""
        return parameters, {
            "udp_timeout": round((2 * INTRODUCED_WITHIN_S + 2 * parameters.patience) / settings.time_scale) or 1
        }

    @classmethod
    def check(cls, parameters: PunchingParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse a NAT without the ports that it takes."""
        if settings.ports < len(PORTS) + 3:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with hole-punching: one peer may take a port for "
                f"each of three server endpoints, one for the other peer, and one for its second socket; take at "
                f"least {len(PORTS) + 3}"
            )

    def run(self, lab: Lab, parameters: PunchingParameters, settings: Settings, report: Report) -> None:
        """Introduce the peers to each other, and see whether they meet."""
        server = Server(lab)
        peers = [Peer(lab, client, name) for client, name in zip(lab.clients[:2], ("alice", "bob"), strict=True)]
        with report.phase("introduce"):
            seen = {peer.name: server.introduce(peer) for peer in peers}
        declared = lab.behaviour
        for name, endpoints in seen.items():
            report.check(
                f"{name}'s NAT maps as declared: of three server endpoints, so many see the same external one",
                expected=SHARED_BY[declared.mapping.value],
                observed=max(endpoints.count(endpoint) for endpoint in endpoints),
                source=f"RFC 4787 REQ-1; {declared.mapping}",
            )
        with report.phase("knock"):
            for peer in peers:
                report.check(
                    f"{peer.name}'s NAT filters as declared: whom it lets in where the peer asked at one endpoint",
                    expected=LET_IN[declared.filtering.value],
                    observed=server.reaches(Peer(lab, peer.host, f"{peer.name}'s second socket")),
                    source=f"RFC 4787 REQ-8; {declared.filtering}",
                )
        with report.phase("punch"):
            first, second = peers
            server.tell(first, seen[second.name][0])
            server.tell(second, seen[first.name][0])
            _punch(peers, parameters.patience)
        expected = meets(declared.mapping.value, declared.filtering.value)
        report.check(
            "the peers reach each other directly" if expected else "the peers do not reach each other directly",
            expected=[expected, expected],
            observed=[peer.met is not None for peer in peers],
            source=f"RFC 5128 section 3.3, RFC 4787 REQ-1 and REQ-8; {declared.filtering}",
        )
        with report.phase("relay"):
            relayed = all(server.relays(sender, receiver) for sender, receiver in (peers, reversed(peers)))
        report.check("through the server they can always talk", expected=True, observed=relayed, source="RFC 8656")
        _, leaked = lab.leaks()
        ends = Counter(peer.outcome(leaked) for peer in peers)
        report.outcomes({outcome: ends[outcome] for outcome in OUTCOMES})
        report.series(seen=seen, met=[peer.met for peer in peers])
        report.tell(
            "hole_punching",
            peers=peers,
            seen=seen,
            mapping=declared.mapping.value,
            filtering=declared.filtering.value,
        )


class Server:
    """The rendezvous server: it tells each who asks from where it was seen, and passes messages on."""

    def __init__(self, lab: Lab) -> None:
        host = lab.servers[0]
        first, second = (str(address) for address in lab.topology.addresses[host.name][:2])
        with network_of(host.netns):
            # Two ports of one address, and another address: what a mapping can depend on (RFC 5780).
            self.sockets = [_bound(first, PORTS[0]), _bound(first, PORTS[1]), _bound(second, PORTS[0])]
        self._known: dict[str, Endpoint] = {}

    def introduce(self, peer: Peer) -> list[Endpoint]:
        """Let a peer ask at each endpoint; return from where it was seen there."""
        endpoints = [self._asked(listener, peer) for listener in self.sockets]
        self._known[peer.name] = endpoints[0]
        return endpoints

    def reaches(self, peer: Peer) -> list[str]:
        """Let a peer ask at the first endpoint, and all of them answer; return whose answers come."""
        seen = self._asked(self.sockets[0], peer)
        came: set[str] = set()
        for _ in range(KNOCKS):
            for name, knocking in zip(LET_IN["eif"], self.sockets, strict=True):
                knocking.sendto(json.dumps(["server", name]).encode(), seen)
            deadline = time.monotonic() + ASK_EVERY_S
            while len(came) < len(self.sockets) and (left := deadline - time.monotonic()) > 0:
                if select.select([peer.socket], [], [], left)[0]:
                    came.add(_heard(peer.socket)[0][1])
            if len(came) == len(self.sockets):
                break
        return [name for name in LET_IN["eif"] if name in came]

    def _asked(self, listener: socket.socket, peer: Peer) -> Endpoint:
        deadline = time.monotonic() + INTRODUCED_WITHIN_S
        while time.monotonic() < deadline:
            peer.say("who am I?", listener.getsockname())
            if listener in select.select([listener], [], [], ASK_EVERY_S)[0]:
                words, endpoint = _heard(listener)
                if words == [peer.name, "who am I?"]:
                    return endpoint
        raise TimeoutError(f"{peer.name} did not reach the server within {INTRODUCED_WITHIN_S:.0f} s")

    def tell(self, peer: Peer, endpoint: Endpoint) -> None:
        """Tell a peer where the other one was seen. Raises TimeoutError."""
        deadline = time.monotonic() + INTRODUCED_WITHIN_S
        while time.monotonic() < deadline:
            self._say(peer, ["server", "the other", *endpoint])
            if peer.socket in select.select([peer.socket], [], [], ASK_EVERY_S)[0]:
                words, _ = _heard(peer.socket)
                if words[:2] == ["server", "the other"]:
                    peer.other = (words[2], words[3])
                    return
        raise TimeoutError(f"{peer.name} was not told of the other within {INTRODUCED_WITHIN_S:.0f} s")

    def relays(self, sender: Peer, receiver: Peer) -> bool:
        """Pass a message on from one peer to the other; return whether it arrived."""
        deadline = time.monotonic() + INTRODUCED_WITHIN_S
        while time.monotonic() < deadline:
            sender.say("pass this on", self.sockets[0].getsockname())
            for ready in select.select([self.sockets[0], receiver.socket], [], [], ASK_EVERY_S)[0]:
                words, _ = _heard(ready)
                if ready is receiver.socket and words == ["server", sender.name, "pass this on"]:
                    return True
                if words == [sender.name, "pass this on"]:
                    self._say(receiver, ["server", *words])
        return False

    def _say(self, peer: Peer, words: list[Any]) -> None:
        self.sockets[0].sendto(json.dumps(words).encode(), self._known[peer.name])


class Peer:
    """A host that wants to reach another; `met` is the endpoint at which it did, and was answered."""

    def __init__(self, lab: Lab, host: Any, name: str) -> None:
        self.name = name
        self.host = host
        self.other: Endpoint = ("", 0)
        self.met: Endpoint | None = None
        with network_of(host.netns):
            self.socket = _bound(str(lab.topology.addresses[host.name][0]), 0)

    def outcome(self, leaked: set[Endpoint]) -> str:
        """What became of its attempt to reach the other."""
        if self.socket.getsockname() in leaked:
            return "leaked"
        return "established" if self.met else "timeout"

    def say(self, what: str, to: Endpoint) -> None:
        """Send a message, with our name."""
        self.socket.sendto(json.dumps([self.name, what]).encode(), to)

    def hear(self) -> None:
        """Answer the other's greeting, wherever it comes from; take note of the other's answer to ours."""
        (who, what, *_), sender = _heard(self.socket)
        if who in (self.name, "server"):
            return
        if what == "hello":
            self.say("hello to you", sender)
        elif what == "hello to you":
            self.met = sender


def _punch(peers: list[Peer], patience: float) -> None:
    """Let both send to where the other was seen, until both were answered, or for so long."""
    deadline, send_at = time.monotonic() + patience, 0.0
    by_socket = {peer.socket: peer for peer in peers}
    while (now := time.monotonic()) < deadline and not all(peer.met for peer in peers):
        if now >= send_at:
            send_at = now + ASK_EVERY_S
            for peer in peers:
                peer.say("hello", peer.other)
        for ready in select.select(list(by_socket), [], [], max(0.0, min(send_at, deadline) - now))[0]:
            by_socket[ready].hear()


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def _heard(ready: socket.socket) -> tuple[list[Any], Endpoint]:
    data, sender = ready.recvfrom(512)
    return json.loads(data), sender
