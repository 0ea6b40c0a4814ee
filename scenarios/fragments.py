"""Datagrams that no link has room for, so that they come to the NAT in fragments, in whatever order.

Set-up        clients, each with a flow over UDP to one server
Action        each sends `datagrams` datagrams of `size` bytes, and the server answers with as many. Then fragments
              come in the wrong order, and those of two clients with one identification come by turns
Expectation   only the first fragment has ports. Yet each datagram arrives as it was sent, from the same external
              endpoint as a small one
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from pydantic import Field

from scenarios.shared.pieces import fragments
from scenarios.shared.requirements import translates_packets
from testbed.api import Demand, Endpoint, Experiment, Parameters, Scenario, Settings, network_of

WITHIN_S, TRIES = 1.0, 3
"""Seconds within which a datagram arrives, and the times that it is sent: a busy machine may lose a fragment."""
PORT, OWN_PORT = 4000, 5000
SMALL = b"a small one"
CLAIMS = {
    "out": "large datagrams that arrive as they were sent",
    "back": "large answers that arrive as they were sent",
    "shuffled": "datagrams that arrive though their fragments are out of order",
}
RECEIVES = "RFC 4787 REQ-14: a NAT receives fragments, in whatever order"


class FragmentsParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(2, strict=True, ge=2, le=16, description="inside hosts")
    datagrams: int = Field(4, strict=True, ge=1, le=100, description="datagrams of each client, each way")
    size: int = Field(4000, strict=True, ge=1500, le=60_000, description="bytes of each datagram")


class Fragments(Scenario[FragmentsParameters]):
    """Do large datagrams pass a NAT in fragments, of which only the first has ports?"""

    name = "fragments"
    claim = "a NAT drops fragments"
    settings = {"ports": 64}
    requires = (translates_packets("a relay's packets are its own"),)
    story = """
{{ parameters.clients|n }} hosts sent datagrams of {{ parameters.size|n }} bytes, each in \
{{ pieces|n }} fragments. Of {{ all|n }}, {{ out|n }} arrived as they were sent, and {{ back|n }} of as many \
answers. With the fragments in the wrong order it was {{ shuffled|n }} of {{ all|n }}, and of two hosts by turns, \
with one identification, {{ mixed|n }} of 2.
{% if out == all and shuffled == all %}

Only the first fragment has ports. So the NAT keeps the others until it has come, or puts the packet together. \
Either takes memory that anybody can fill: a DNS answer or a VPN with large packets had better not need it.
{% endif %}
"""

    def run(self, x: Experiment[FragmentsParameters]) -> None:
        """Send datagrams of every kind."""
        chance, target = random.Random(x.lab.seed), x.lab.endpoint(port=PORT)
        hosts = [Host(host.netns, x.lab.topology.sources(place)[0]) for place, host in enumerate(x.lab.clients)]
        large = [chance.randbytes(x.parameters.size) for _ in range(x.parameters.datagrams)]
        outside = _bound(x.lab.servers[0].netns, target)
        with x.phase("small ones"):
            seen = [_passed(partial(host.socket.sendto, SMALL, target), outside, SMALL) for host in hosts]
        every = [(host, at or target, data) for (host, at), data in product(zip(hosts, seen, strict=True), large)]
        with x.phase("large ones"):
            came = [_passed(partial(host.socket.sendto, data, target), outside, data) for host, _, data in every]
            back = [_passed(partial(outside.sendto, data, at), host.socket, data) for host, at, data in every]
        with x.phase("in the wrong order"):
            shuffled = [
                _passed(partial(host.shuffle, target, data, chance), outside, data) for host, _, data in every
            ]
        with x.phase("of two hosts by turns"):
            mixed = _by_turns(hosts[:2], target, outside, large[0])

        observed = {"out": _count(came), "back": _count(back), "shuffled": _count(shuffled), "mixed": mixed}
        for key, claim in CLAIMS.items():
            x.check(claim, key=key, expected=len(every), observed=observed[key], source=RECEIVES)
        x.check(
            "external endpoints of large datagrams, as of small ones",
            expected=sorted(set(filter(None, seen))),
            observed=sorted(set(filter(None, came))),
            source="RFC 4787 REQ-1",
        )
        x.check(
            "datagrams of two hosts with one identification, by turns",
            expected=2,
            observed=mixed,
            source="RFC 7857 section 10, RFC 6864: an identification is its source's own",
        )
        x.account()
        x.tell(pieces=len(fragments(hosts[0].source, target, large[0], number=0)), all=len(every), **observed)

    @classmethod
    def demand(cls, parameters: FragmentsParameters, settings: Settings) -> Demand:
        """Return a flow of each client."""
        return Demand((1,) * parameters.clients, ("udp",))


class Host:
    """A client with a socket for datagrams, and one for fragments as they are."""

    def __init__(self, netns: str, address: str) -> None:
        self.source, self._sent = (address, OWN_PORT), itertools.count(1)
        self.socket = _bound(netns, self.source)
        with network_of(netns):
            self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send fragments in this order."""
        for piece in pieces:
            self._raw.sendto(piece, (socket.inet_ntoa(piece[16:20]), 0))

    def shuffle(self, target: Endpoint, data: bytes, chance: random.Random) -> None:
        """Send a datagram in fragments, not the one with the ports first, with a new identification each time."""
        first, *others = fragments(self.source, target, data, number=next(self._sent))
        chance.shuffle(others)
        others.insert(chance.randint(1, len(others)), first)
        self.send(others)


def _bound(netns: str, endpoint: Endpoint) -> socket.socket:
    with network_of(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(endpoint)
    made.settimeout(WITHIN_S)
    return made


def _passed(send: Callable[[], object], receiver: socket.socket, data: bytes) -> Endpoint | None:
    """Send until the data come as they are, a few times at most, and return where they came from, or None."""
    for _ in range(TRIES):
        send()
        with contextlib.suppress(TimeoutError):
            while True:
                came, (address, port) = receiver.recvfrom(1 << 16)
                if came == data:
                    return address, port
    return None


def _by_turns(hosts: Sequence[Host], target: Endpoint, receiver: socket.socket, data: bytes) -> int:
    """Send a datagram of each of two hosts, fragment by fragment in turn, and return how many arrive."""
    wanted = {data, data[::-1]}
    for _ in range(TRIES):
        pieces = [fragments(host.source, target, own, number=1) for host, own in zip(hosts, wanted, strict=True)]
        for turn in zip(*pieces, strict=True):
            for host, piece in zip(hosts, turn, strict=True):
                host.send([piece])
        arrived: set[bytes] = set()
        with contextlib.suppress(TimeoutError):
            while arrived != wanted:
                arrived |= {receiver.recv(1 << 16)} & wanted
            return len(wanted)
    return len(arrived)


def _count(passed: Sequence[Endpoint | None]) -> int:
    return sum(each is not None for each in passed)
