"""UDP flows that go on to another destination: a NAT with endpoint-independent mapping keeps their endpoint.

A socket that has asked one server asks another one (RFC 4787 section 4.1): the first while nearly every port is
free, and others when every port is in use. The mapping is there, so that it takes no port more. The socket is a
worker's, and connected. So its datagrams to another destination are made here, from the same address and port
(raw(7)). Nobody answers them. Mappings of TCP are not looked at.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from testbed.api import PROMISED, Attempt, Endpoint, Experiment, Lab, network_of
from testbed.traffic.wire import HELLO, token_of

PROBED = 4
"""Flows that ask elsewhere. A NAT that draws a port for each destination hardly ever draws the same for all."""
PORT_ELSEWHERE = 4002
ASK_EVERY_S = 0.2
ASK_FOR_S = 4.0
SOURCE = "RFC 4787 REQ-1: a mapping is used again for every destination"
DEPENDENT = ("adm", "edm")
"""The mappings that are others for another server."""


def maps_independently(x: Experiment[Any]) -> bool:
    """Whether UDP flows keep their endpoint toward another server: if all NATs map so, and no limit is set."""
    nats = [behaviour.mapping.value for behaviour in x.lab.behaviours.values()]
    return all(nat == "eim" for nat in nats) and all(getattr(x.settings, key) is None for key in PROMISED)


def kept_elsewhere(flows: Sequence[Attempt], x: Experiment[Any]) -> int:
    """Have flows ask another server, and return how many of them it sees at the same external endpoint."""
    with x.phase("ask elsewhere"):
        seen = _seen_elsewhere(x.lab, flows)
    return sum(seen.get(flow.nonce) == flow.seen for flow in flows)


def check_mapping(early: Sequence[Attempt], kept: int, flows: Sequence[Attempt], x: Experiment[Any]) -> None:
    """Check that UDP flows keep their endpoint toward another server; or that none does, as an author promises.

    `early` have asked while ports were free, and `kept` of them have kept theirs. The newest of `flows` ask first:
    a NAT that counts from its first port for each destination gives it to another flow.
    """
    nat = x.behaviour.mapping
    differs = nat.value in DEPENDENT and nat.is_promise and x.behaviour.overlapping.value == "off"
    if not differs and not maps_independently(x):
        return
    asking = [*reversed(flows)][:PROBED]
    x.check(
        "UDP flows that another server sees at the same external endpoint",
        key="mapping-toward-another-server",
        expected=0 if differs else len(early) + len(asking),
        observed=kept + kept_elsewhere(asking, x),
        source=str(nat) if differs else f"{SOURCE}; {nat}",
    )


def _seen_elsewhere(lab: Lab, flows: Sequence[Attempt]) -> dict[int, Endpoint]:
    """Have flows ask the last server, and return the external endpoints at which it saw them, by their nonces."""
    target = lab.endpoint(len(lab.servers) - 1, PORT_ELSEWHERE)
    hosts = {str(source): host for place, host in enumerate(lab.clients) for source in lab.topology.sources(place)}
    with network_of(lab.servers[-1].netns):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    seen: dict[int, Endpoint] = {}
    deadline = time.monotonic() + ASK_FOR_S
    with listener:
        listener.bind(target)
        while (left := [each for each in flows if each.nonce not in seen]) and time.monotonic() < deadline:
            for flow in left:
                _send(hosts[flow.source[0]].netns, flow, target)
            until = time.monotonic() + ASK_EVERY_S
            while len(seen) < len(flows) and _is_asked(listener, until - time.monotonic()):
                data, peer = listener.recvfrom(512)
                seen.setdefault(HELLO.unpack(data)[0], peer)
    return seen


def _is_asked(listener: socket.socket, seconds: float) -> bool:
    return bool(select.select([listener], [], [], max(0.0, seconds))[0])


def _send(netns: str, flow: Attempt, target: Endpoint) -> None:
    """Send a hello from a flow's own address and port."""
    with network_of(netns), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.bind((flow.source[0], 0))
        raw.sendto(_datagram(flow.source, target, HELLO.pack(flow.nonce, token_of(target, 0))), (target[0], 0))


def _datagram(source: Endpoint, target: Endpoint, data: bytes) -> bytes:
    """Return a UDP datagram with its checksum (RFC 768)."""
    length = 8 + len(data)
    addresses = socket.inet_aton(source[0]), socket.inet_aton(target[0])
    covered = struct.pack("!4s4sHHHHHH", *addresses, socket.IPPROTO_UDP, length, source[1], target[1], length, 0)
    total = sum(word for (word,) in struct.iter_unpack("!H", covered + data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!HHHH", source[1], target[1], length, ~total & 0xFFFF or 0xFFFF) + data
