"""A program for `test_outbox`: two controllers get the same from their switch, and must answer the same bytes.

    python -m tests.support.two_controllers CONFIGURATION.yaml SEED

One is ours, whose messages are templates, and which reads packet-ins by fixed offsets; the other reads and writes
with the framework's own classes. It prints one JSON object: what was compared, and how often.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.reference.stock_controller import StockOutbox
from controller.openflow import (
    framework,  # the first to be imported, as in the controller: it patches the others
    loop,
)
from controller.openflow.frames import checksum
from controller.openflow.framework import handler, ofproto, parser
from controller.openflow.outbox import Outbox
from controller.openflow.router import Router
from controller.openflow.rules import Table
from controller.settings import Settings
from controller.wiring import ControllerConfiguration

BEHAVIOURS: list[dict[str, object]] = [
    {},
    {"filtering_type": "eif", "on_exhaustion": "icmp"},
    {"filtering_type": "adf"},
    {"mapping_type": "adm", "filtering_type": "eif"},
    {"mapping_type": "adm", "filtering_type": "adf", "on_exhaustion": "evict-lru"},
    {"mapping_type": "edm", "filtering_type": "eif", "on_exhaustion": "reset"},
    {"mapping_type": "edm", "filtering_type": "adf"},
    {"mapping_type": "edm", "filtering_type": "edf", "on_exhaustion": "hold"},
    {"mapping_type": "eim", "filtering_type": "edf", "limit_sessions": 20},
]
STEPS = 300
PACKET_INS = 8
"""In a step at most."""
INSIDE = [0x0A000001, 0x0A000002, 0x0A0000FE, 0x0AFF0001]
OUTSIDE = [0xC6336401, 0xC6336402, 0xCB007101, 0x08080808]
OURS = [0xC0000201, 0xC0000202, 0x0A00FFFE, 0xC63364FE]
PORTS = [*range(1024, 1036), 7, 0, 65535]
_HEADER = struct.Struct("!BBHI")
_KINDS = {ofproto.OFPT_FLOW_MOD: "rules", ofproto.OFPT_PACKET_OUT: "packets out"}


def frames(chance: random.Random) -> Iterator[bytes]:
    """Yield frames, most of them sane, between a few endpoints."""
    while True:
        pair = [chance.choice(INSIDE), chance.choice(OUTSIDE)]
        if chance.random() < 0.4:
            pair = [chance.choice(OUTSIDE), chance.choice(OURS)]
        protocol = chance.choice([6, 6, 6, 17, 17, 17, 1, 47])
        ends = chance.choice(PORTS), chance.choice(PORTS)
        if protocol == 6:
            flags = chance.choice([2, 2, 2, 16, 17, 18, 4, 20, 1])
            transport = struct.pack("!HHIIBB", *ends, 1, 2, 0x50, flags) + bytes(6)
        elif protocol == 17:
            transport = struct.pack("!HHHH", *ends, 8, 0)
        else:
            transport = struct.pack("!BBHHH", chance.choice([0, 8, 3, 11]), 0, 0, *ends)
            transport = transport[:2] + checksum(transport) + transport[4:]
        options = bytes(4 * chance.choice([0] * 12 + [1, 10]))
        fragment = chance.choice([0] * 10 + [0x4000] * 5 + [0x2000, 7])
        length = 20 + len(options) + len(transport) + chance.choice([0] * 20 + [-1, 1, 40])
        first = 0x45 + len(options) // 4
        header = struct.pack("!BBHHHBBHII", first, 0, length, 1, fragment, 64, protocol, 0, *pair)
        header = header[:10] + checksum(header + options)[: chance.choice([2] * 20 + [0])].ljust(2) + header[12:]
        kind = chance.choice([b"\x08\x00"] * 20 + [b"\x08\x06", b"\x81\x00", b"\x86\xdd"])
        frame = bytes(range(12)) + kind + header + options + transport + bytes(chance.choice([0, 0, 4, 18]))
        yield frame[: chance.choice([len(frame)] * 20 + [chance.randrange(len(frame))])]


def packet_in(chance: random.Random, frame: bytes) -> bytes:
    """Return a switch's message with a frame; sometimes its match has more than the port."""
    table = chance.choice([1, 2, 2, 2, 3, 3, 4, 5, 6])
    match = struct.pack("!II", 0x80000004, chance.randrange(7))
    if chance.random() < 0.1:
        match += struct.pack("!II", 0x00010004, 1)  # reg0
    match = struct.pack("!HH", 1, 4 + len(match)) + match
    match += bytes(-len(match) % 8)
    body = struct.pack("!IHBBQ", 0xFFFFFFFF, len(frame), 0, table, 0) + match + bytes(2) + frame
    return _HEADER.pack(4, ofproto.OFPT_PACKET_IN, _HEADER.size + len(body), 0) + body


class Ours:
    """Our controller, but for its socket."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        self.outbox = Outbox(configuration.settings.for_nat().flows)
        self.router = Router(configuration, self.outbox)
        self._rest = b""
        self._connection = loop.Connection.__new__(loop.Connection)
        self._connection.state = handler.MAIN_DISPATCHER
        self._connection.ofp_brick = SimpleNamespace(
            send_event_to_observers=lambda event, state: self._event(event), get_handlers=lambda event, state: []
        )
        self.events = 0

    def receive(self, data: bytes, now: float) -> None:
        """Take what a socket would bring."""
        loop.Connection.packet_in, loop.Connection.answer = self.router.packet_in, lambda: None
        loop.time = SimpleNamespace(monotonic=lambda: now)
        self._now = now
        self._rest = self._connection._handle(self._rest + data, now)

    def _event(self, event: Any) -> None:
        self.events += 1
        msg = event.msg
        self.router.packet_in(Table(msg.table_id), msg.match["in_port"], msg.data, self._now)


class Stock:
    """The other one."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        self.outbox = StockOutbox(configuration.settings.for_nat().flows)
        self.router = Router(configuration, self.outbox)

    def receive(self, message: bytes, now: float) -> None:
        """Take one message."""
        datapath = framework.ProtocolDesc(ofproto.OFP_VERSION)
        msg = parser.OFPPacketIn.parser(datapath, *_HEADER.unpack_from(message), message)
        self.router.packet_in(Table(msg.table_id), msg.match["in_port"], msg.data, now)


def compare(configuration: ControllerConfiguration, chance: random.Random, seen: Counter[str]) -> None:
    """Let two controllers live through the same."""
    ours, stock, now, made = Ours(configuration), Stock(configuration), 0.0, frames(chance)
    for each in (ours, stock):
        each.router.connected(now)
    for _ in range(STEPS):
        now += chance.choice([0.0, 0.01, 0.6, 3.0])
        incoming = [packet_in(chance, next(made)) for _ in range(chance.randrange(PACKET_INS + 1))]
        stream = b"".join(incoming)
        cut = chance.randrange(len(stream) + 1)
        ours.receive(stream[:cut], now)
        ours.receive(stream[cut:], now)
        for message in incoming:
            stock.receive(message, now)
        is_refused = chance.random() < 0.2
        refused, is_asked, is_confirmed = ours.outbox.xid - chance.randrange(3), *chance.choices([0, 1], k=2)
        for each in (ours, stock):
            refusal = each.outbox.refused(refused) if is_refused else None
            if refusal is not None:
                each.router.refused(*refusal, now)
            each.router.tick(now)
            if is_asked:
                each.outbox.confirm()
            if is_confirmed:
                each.outbox.confirmed()
        answers = [each.outbox.take() for each in (ours, stock)]
        assert answers[0] == answers[1], f"{configuration.settings}: {answers[0].hex()}\n{answers[1].hex()}"
        _count(answers[0], seen)
        seen["packet-ins"] += len(incoming)
    seen["by the framework's parser"] += ours.events


def _count(data: bytes, seen: Counter[str]) -> None:
    at = 0
    while at < len(data):
        _, kind, length, _ = _HEADER.unpack_from(data, at)
        seen[_KINDS.get(kind, "others")] += 1
        at += length
    assert at == len(data)


def main() -> None:
    """Compare under every behaviour."""
    configuration, chance = ControllerConfiguration.load(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
    seen: Counter[str] = Counter()
    for behaviour in BEHAVIOURS:
        # A few ports, so that they run out; some mappings are held, evicted, refused.
        settings = Settings.model_validate({"ports": 30, "udp_timeout": 20, "external_addresses": 2, **behaviour})
        compare(configuration.model_copy(update={"settings": settings}), chance, seen)
    print(json.dumps({"version": framework.version(), "compared": seen}))


if __name__ == "__main__":
    main()
