"""A controller that decides nothing: the highest rate that this switch and a Python process can have together.

    python -m benchmarks.reference.ceiling CONFIGURATION.yaml PORT FD

The switch has our own gateway's tables and base rules. Every packet from inside is answered with the same kinds of
messages, of the same sizes, as our own controller's: two rules and the packet. They are bytes that are made once,
in which addresses and ports are replaced. External ports come from a shuffled list, in turn. There is no framework
in the loop, no NAT, no limit, no timer, and no table. Hosts are known by the ARP that they send.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.openflow import messages
from controller.openflow.frames import ARP_REPLY, ARP_REQUEST, Arp
from controller.openflow.framework import ProtocolDesc, ofproto, original, parser
from controller.openflow.messages import serialised
from controller.openflow.pipeline import base_rules, neighbour_rule
from controller.openflow.rules import Match, Rule, SetField, Table
from controller.wiring import ControllerConfiguration

socket: Any = original("socket")
select: Any = original("select")

HOST = "127.0.0.1"
FIRST_PORT = 1024
READ_BYTES = 1 << 18
HELLO, ECHO_REQUEST, PACKET_IN, BARRIER_REPLY = 0, 2, 10, 21
HEADER = struct.Struct("!BBHI")
IPV4, ARP = b"\x08\x00", b"\x08\x06"
PORTS = struct.Struct("!H")


@dataclass(slots=True)
class Canned:
    """The two rules of a flow as bytes, and the offsets of what differs from flow to flow."""

    data: bytearray
    addresses: list[int]
    ports: list[int]
    external_ports: list[int]
    peers: list[int]
    peer_ports: list[int]

    def patched(self, frame: bytes, external: int) -> bytearray:
        """Return the bytes for the flow of an outbound frame, which are valid until the next call."""
        data = self.data
        for places, value in (
            (self.addresses, frame[26:30]),
            (self.ports, frame[34:36]),
            (self.external_ports, PORTS.pack(external)),
            (self.peers, frame[30:34]),
            (self.peer_ports, frame[36:38]),
        ):
            for at in places:
                data[at : at + len(value)] = value
        return data


def canned(protocol: int, external: str) -> Canned:
    """Return the rules that our own pipeline has for a flow, with marks in the places of what differs."""
    field = "udp" if protocol == 17 else "tcp"
    mark, port, given = "10.201.202.203", 0xA1A2, 0xB1B2
    peer, peer_port = "10.211.212.213", 0xC1C2

    def rule(table: Table, end: str, other: str, match: tuple[str, int], rewrite: tuple[str, int]) -> Rule:
        address, number = f"ipv4_{end}", f"{field}_{end}"
        known: Match = (("eth_type", 0x0800), ("ip_proto", protocol), (address, match[0]), (number, match[1]))
        if field == "tcp":  # each TCP connection has rules of its own
            known += ((f"ipv4_{other}", peer), (f"{field}_{other}", peer_port))
        return Rule(
            table,
            20,
            known,
            (SetField(address, rewrite[0]), SetField(number, rewrite[1])),
            Table.FORWARD,
            cookie=1,
        )

    inside, outside = (mark, port), (external, given)
    data = _addition(rule(Table.OUTBOUND, "src", "dst", inside, outside))
    data += _addition(rule(Table.INBOUND, "dst", "src", outside, inside))
    marks = (
        bytes([10, 201, 202, 203]),
        PORTS.pack(port),
        PORTS.pack(given),
        bytes([10, 211, 212, 213]),
        PORTS.pack(peer_port),
    )
    return Canned(bytearray(data), *(list(_places(data, each)) for each in marks))


def _addition(rule: Rule) -> bytes:
    return serialised(messages.addition(rule))


def _places(data: bytes, what: bytes) -> Iterator[int]:
    at = data.find(what)
    while at >= 0:
        yield at
        at = data.find(what, at + 1)


class Ceiling:
    """The controller of one switch: it answers the switch's messages from bytes that it made before."""

    def __init__(self, configuration: ControllerConfiguration, telemetry: Any) -> None:
        self._configuration = configuration
        self._telemetry = telemetry
        self._mac = bytes.fromhex(configuration.mac.replace(":", ""))
        self._addresses = {each.port: int(each.address.ip) for each in configuration.interfaces}
        external = str(configuration.settings.external_addresses[0])
        self._canned = {protocol: canned(protocol, external) for protocol in (6, 17)}
        ports = configuration.settings.port_set
        # Shuffled, as our own NAT gives them: in their order they would cost the switch less.
        shuffled = random.Random(configuration.seed).sample(ports, len(ports))
        self._given = {protocol: itertools.cycle(shuffled) for protocol in self._canned}
        self._injection = serialised(messages.injection(b"", 0, Table.OUTBOUND))

    def greet(self) -> bytes:
        """Return the messages that fill the tables of a switch. The last one asks for a reply."""
        rules = b"".join(map(_addition, base_rules(self._configuration)))
        hello = serialised(parser.OFPHello(ProtocolDesc(ofproto.OFP_VERSION)))
        return hello + b"".join(map(serialised, messages.clear())) + rules + serialised(messages.barrier())

    def answer(self, kind: int, message: memoryview, out: bytearray) -> None:
        """Append the answer to a message of the switch, if it needs one, to `out`."""
        if kind == PACKET_IN:
            self._packet_in(message, out)
        elif kind == ECHO_REQUEST:
            out += HEADER.pack(4, 3, len(message), HEADER.unpack_from(message)[3]) + message[8:]
        elif kind == BARRIER_REPLY:
            self.tell(ready=True, framework="none")

    def tell(self, **record: Any) -> None:
        """Send a record to the process that started this one."""
        self._telemetry.sendall(json.dumps(record).encode() + b"\n")

    def _packet_in(self, message: memoryview, out: bytearray) -> None:
        table = message[15]
        in_port = struct.unpack_from("!I", message, 32)[0]  # the match's first field
        match_length = PORTS.unpack_from(message, 26)[0]
        frame = message[24 + (match_length + 7) // 8 * 8 + 2 :]
        if frame[12:14] == ARP:
            self._arp(bytes(frame), in_port, out)
        elif table == Table.OUTBOUND and frame[12:14] == IPV4:
            known, given = self._canned[frame[23]], self._given[frame[23]]
            out += known.patched(bytes(frame[:38]), next(given))
            head = bytearray(self._injection)
            struct.pack_into("!H", head, 2, len(head) + len(frame))
            struct.pack_into("!I", head, 12, in_port)
            out += head
            out += frame

    def _arp(self, frame: bytes, in_port: int, out: bytearray) -> None:
        arp, own = Arp.parse(frame), self._addresses.get(in_port)
        if arp is None or own is None:
            return
        out += _addition(neighbour_rule(self._configuration, arp.sender, arp.sender_mac, in_port))
        if arp.operation == ARP_REQUEST and arp.target == own:
            reply = Arp(ARP_REPLY, self._mac, arp.target, arp.sender_mac, arp.sender)
            out += serialised(messages.sending(reply.frame(), in_port))


def serve(ceiling: Ceiling, greeting: bytes, switch: Any, telemetry: Any) -> None:
    """Answer the switch's messages until either end closes, each batch with one write."""
    switch.sendall(greeting)
    unread = bytearray()
    while True:
        ready, _, _ = select.select([switch, telemetry], [], [])
        if telemetry in ready:
            return
        data = switch.recv(READ_BYTES)
        if not data:
            return
        unread += data
        out, at = bytearray(), 0
        with memoryview(unread) as view:
            while len(view) - at >= HEADER.size:
                _, kind, length, _ = HEADER.unpack_from(view, at)
                if len(view) - at < length:
                    break
                with view[at : at + length] as message:
                    ceiling.answer(kind, message, out)
                at += length
        del unread[:at]
        if out:
            switch.sendall(out)


def main() -> None:
    """Listen, report that, and serve the switch that connects."""
    configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    telemetry = socket.socket(fileno=int(sys.argv[3]))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, int(sys.argv[2])))
    listener.listen()
    ceiling = Ceiling(configuration, telemetry)
    greeting = ceiling.greet()  # made before: a switch that is not greeted within a second hangs up
    ceiling.tell(listening=True)
    switch, _ = listener.accept()
    switch.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    serve(ceiling, greeting, switch, telemetry)
    os._exit(0)


if __name__ == "__main__":
    main()
