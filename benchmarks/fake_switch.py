"""A switch that only sends packet-ins and counts the answers: it measures the packet-ins a second of a controller.

    python -m benchmarks.fake_switch [FLOWS] [KEY=VALUE]...

It starts the real controller as a process of its own, and speaks as much OpenFlow 1.3 as the controller needs.
There is no Open vSwitch and no host. It sends the first packets of new flows as fast as the controller takes them.
The complete NAT answers each with two FlowMods and a PacketOut. The controller has a core of its own if the
machine has two.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.processes import processor_s
from controller.nat.model import Protocol, Side
from controller.openflow.frames import checksum
from controller.openflow.rules import Table
from controller.settings import Settings
from controller.wiring import ControllerConfiguration
from topologies.home import Home

SUBJECTS = {"fast path": "controller", "stock handlers": "benchmarks.reference.stock_controller"}
"""The modules that run as controllers."""
REPETITIONS = 5
CLIENTS = 8
BATCH = 500
"""The number of messages that are sent together."""
SILENCE_S = 20.0
"""Seconds of silence after which the controller counts as stuck."""
ROOT = Path(__file__).resolve().parents[1]

HELLO, ECHO_REQUEST, ECHO_REPLY, FEATURES_REQUEST, FEATURES_REPLY, PACKET_IN = 0, 2, 3, 5, 6, 10
PACKET_OUT, FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 13, 14, 18, 19, 20, 21
HEADER = struct.Struct("!BBHI")
FEATURES = struct.pack("!QIBBxxII", 1, 0, 4, 0, 0, 0)
ADD, DELETE_STRICT = 0, 4
_COMMAND_AT = 25


@dataclass(frozen=True)
class Measured:
    """One run: packet-ins a second of wall time, and the CPU time that the controller's process spent on each."""

    packet_ins_s: float
    cpu_us: float
    answers: Counter[str]
    framework: str


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    """Return an OpenFlow message with its header."""
    return HEADER.pack(4, kind, HEADER.size + len(body), xid) + body


class FakeSwitch:
    """A connection to a controller. Every request of the controller is answered as if it had been carried out."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._received = b""
        self._replies = b""
        self.answers: Counter[str] = Counter()
        self.exchange([message(HELLO, 1)], lambda: self.answers["barrier"] > 0)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send_blindly(self, messages: Sequence[bytes]) -> None:
        """Send messages, and read nothing meanwhile."""
        self._socket.settimeout(SILENCE_S)
        self._socket.sendall(b"".join(messages))
        self._socket.setblocking(False)

    def exchange(self, messages: Sequence[bytes], is_done: Callable[[], bool]) -> None:
        """Send messages as fast as they are taken, and read answers meanwhile, until `is_done` returns true."""
        at, sending = 0, b""
        while True:
            if not sending:
                sending, self._replies = self._replies + b"".join(messages[at : at + BATCH]), b""
                at += BATCH
            if not sending and is_done():
                return
            wants_to_write = [self._socket] if sending else []
            readable, writable, _ = select.select([self._socket], wants_to_write, [], SILENCE_S)
            if not readable and not writable:
                raise TimeoutError(f"the controller has stopped answering: {dict(self.answers)}")
            if readable:
                self._read()
            if writable:
                sending = sending[self._socket.send(sending) :]

    def _read(self) -> None:
        chunk = self._socket.recv(1 << 20)
        if not chunk:
            raise ConnectionError("the controller has closed the connection")
        data, at = self._received + chunk, 0
        while len(data) - at >= HEADER.size:
            _, kind, length, xid = HEADER.unpack_from(data, at)
            if len(data) - at < length:
                break
            if kind == PACKET_OUT:
                self.answers["packet-out"] += 1
            elif kind == FLOW_MOD:
                self.answers["removal" if data[at + _COMMAND_AT] == DELETE_STRICT else "addition"] += 1
            else:
                self._reply(kind, xid, data[at + HEADER.size : at + length])
            at += length
        self._received = data[at:]

    def _reply(self, kind: int, xid: int, body: bytes) -> None:
        if kind == FEATURES_REQUEST:
            self._replies += message(FEATURES_REPLY, xid, FEATURES)
        elif kind == MULTIPART_REQUEST:
            self._replies += message(MULTIPART_REPLY, xid, body[:2] + bytes(6))
        elif kind == BARRIER_REQUEST:
            self._replies += message(BARRIER_REPLY, xid)
            self.answers["barrier"] += 1
        elif kind == ECHO_REQUEST:
            self._replies += message(ECHO_REPLY, xid, body)


@contextlib.contextmanager
def connected(subject: str, settings: dict[str, object]) -> Iterator[tuple[FakeSwitch, int, str]]:
    """Start a controller and connect to it. Yield the switch, the controller's process id, and its framework."""
    home = Home(clients=CLIENTS)
    configuration = ControllerConfiguration(
        settings=Settings.model_validate(settings),
        interfaces=home.wiring["gateway"],
        mac=home.gateway_mac("gateway"),
        seed=1,
    )
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        file, port = Path(folder) / "controller.yaml", free.getsockname()[1]
        configuration.save(file)
        free.close()
        process = subprocess.Popen(
            [sys.executable, "-m", SUBJECTS[subject], str(file), str(port), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
        )
        theirs.close()
        telemetry = ours.makefile("r")
        try:
            assert json.loads(telemetry.readline()) == {"listening": True}
            switch = FakeSwitch(("127.0.0.1", port))
            ready = next(record for line in telemetry if "ready" in (record := json.loads(line)))
            yield switch, process.pid, ready["framework"]
            switch.close()
        finally:
            process.kill()
            process.wait()
            telemetry.close()
            ours.close()


def packet_ins(flows: int, protocol: Protocol, data_bytes: int = 6) -> list[bytes]:
    """Return the packet-ins of the first packets of `flows` flows, from a few clients to one server."""
    mac = bytes.fromhex(Home(clients=CLIENTS).gateway_mac("gateway").replace(":", ""))
    ports = [i.port for i in Home(clients=CLIENTS).wiring["gateway"] if i.side is Side.INSIDE]
    ethernet = mac + bytes(6) + b"\x08\x00"
    made = []
    for number in range(flows):
        source, port = 0x0A000001 + number % CLIENTS, 1024 + number // CLIENTS
        made.append(_packet_in(ports[number % CLIENTS], ethernet + _packet(protocol, source, port, data_bytes)))
    return made


def _packet(protocol: Protocol, source: int, port: int, data_bytes: int) -> bytes:
    """Return an IPv4 packet that opens a flow with 198.51.100.1, port 7. Its transport's checksum is 0."""
    if protocol is Protocol.TCP:
        transport = struct.pack("!HHIIBBHHH", port, 7, 0, 0, 0x50, 2, 65535, 0, 0) + bytes(data_bytes)
    else:
        transport = struct.pack("!HHHH", port, 7, 8 + data_bytes, 0) + bytes(data_bytes)
    fields = (0x45, 0, 20 + len(transport), 0, 0, 64, protocol)
    header = struct.pack("!BBHHHBBHII", *fields, 0, source, 0xC6336401)
    return header[:10] + checksum(header) + header[12:] + transport


def _packet_in(port: int, frame: bytes) -> bytes:
    head = struct.pack("!IHBBQHHII4x2x", 0xFFFFFFFF, len(frame), 1, Table.OUTBOUND, 0, 1, 12, 0x80000004, port)
    return message(PACKET_IN, 0, head + frame)


def measure(subject: str, flows: int, protocol: Protocol, settings: dict[str, object] | None = None) -> Measured:
    """Measure how fast a new controller answers the first packets of `flows` flows."""
    data = packet_ins(flows, protocol)
    with connected(subject, {"ports": 64512, **(settings or {})}) as (switch, pid, framework):
        cpu, started = processor_s(pid), time.monotonic()
        switch.exchange(data, lambda: switch.answers["packet-out"] >= flows)
        took = time.monotonic() - started
        return Measured(flows / took, (processor_s(pid) - cpu) / flows * 1e6, switch.answers, framework)


def main() -> None:
    """Measure every subject with UDP and TCP, and print the medians as a table."""
    numbers = [int(argument) for argument in sys.argv[1:] if "=" not in argument]
    settings = {
        key: yaml.safe_load(value) for key, _, value in (a.partition("=") for a in sys.argv[1:] if "=" in a)
    }
    flows = numbers[0] if numbers else 60_000
    rows = [(subject, protocol) for protocol in (Protocol.UDP, Protocol.TCP) for subject in SUBJECTS]
    runs: dict[tuple[str, Protocol], list[Measured]] = {row: [] for row in rows}
    for _ in range(REPETITIONS):
        for subject, protocol in rows:
            few = flows // 20 if subject == "stock handlers" else flows
            runs[subject, protocol].append(measure(subject, few, protocol, settings))
    for (subject, protocol), measured in runs.items():
        rate = statistics.median(run.packet_ins_s for run in measured)
        cpu = statistics.median(run.cpu_us for run in measured)
        print(f"{protocol.name} {subject:15} {rate:10,.0f} packet-ins/s {cpu:8.1f} us of CPU each")


if __name__ == "__main__":
    main()
