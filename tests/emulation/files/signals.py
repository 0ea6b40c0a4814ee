"""What does a program hear from its kernel when a NAT has no port left for it?

Set-up        a NAT with one port for TCP and one for UDP, and alice, who has taken both
Action        alice opens another TCP connection and sends another datagram, first as most programs do, then with
              the error queue switched on (IP_RECVERR)
Expectation   errno, ICMP type, code and sender are those of the policy, and come as soon as it allows
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from pydantic import Field

from controller.configuration import PORT_REST_S, Settings
from scenarios.base import Parameters, Scenario
from scenarios.lab import PORT, Lab
from scenarios.report import Report
from scenarios.sandbox.linux import CLONE_NEWNET, enter_namespace

ADMITTED, NOTHING, ICMP_13, ICMP_1, RESET = "admitted", "nothing", "icmp 13", "icmp 1", "reset"

ANSWERS = {
    # on_exhaustion, icmp_code: what comes back to TCP, and to UDP
    ("drop", 13): (NOTHING, NOTHING),
    ("drop", 1): (NOTHING, NOTHING),
    ("icmp", 13): (ICMP_13, ICMP_13),
    ("icmp", 1): (ICMP_1, ICMP_1),
    ("reset", 13): (RESET, ICMP_13),
    ("reset", 1): (RESET, ICMP_1),
    ("evict-lru", 13): (ADMITTED, ADMITTED),
    ("evict-lru", 1): (ADMITTED, ADMITTED),
}
TCP_IS_TOLD = {
    # what comes back: the same without and with IP_RECVERR, since what ends a connect is queued unasked
    ADMITTED: "connected",
    NOTHING: "nothing",
    ICMP_13: "EHOSTUNREACH, ICMP 3/13 from 10.0.255.254",
    ICMP_1: "EHOSTUNREACH, ICMP 3/1 from 10.0.255.254",
    RESET: "ECONNREFUSED",
}
UDP_IS_TOLD = {
    # what comes back: without, and with IP_RECVERR
    ADMITTED: ("answered", "answered"),
    NOTHING: ("nothing", "nothing"),
    ICMP_13: ("EHOSTUNREACH", "EHOSTUNREACH, ICMP 3/13 from 10.0.255.254"),
    # An unreachable host may come back (RFC 1122 section 3.2.2.1), so Linux troubles UDP with it on request only.
    ICMP_1: ("nothing", "EHOSTUNREACH, ICMP 3/1 from 10.0.255.254"),
}

IN_TIME_S = 0.9
"""What a busy machine is granted; where nothing has to be waited for, it takes milliseconds."""
HOLDER_PATIENCE_S = 5.0
IP_RECVERR = 11
EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err
ORIGIN_ICMP = 2


class SignalParameters(Parameters):
    """How long alice waits."""

    patience: float = Field(2.0, strict=True, ge=1, le=60, description="seconds after which alice gives up")


@dataclass(slots=True)
class Signal:
    """What one of alice's programs was told, and how many seconds after it asked; None if it never was."""

    client: str
    errno: str = ""
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_sender: str = ""
    success: str = ""
    seconds: float | None = None

    def __str__(self) -> str:
        icmp = f", ICMP {self.icmp_type}/{self.icmp_code} from {self.icmp_sender}" if self.icmp_sender else ""
        return self.success or (self.errno + icmp) or "nothing"


class Signals(Scenario):
    """What does a program hear from its kernel when a NAT has no port left for it?"""

    name = "signals"
    claim = "how a NAT refuses decides what programs learn, and when"
    Parameters: ClassVar[type[Parameters]] = SignalParameters
    settings: ClassVar[dict[str, Any]] = {"ports": 1, "hold_down_timeout": 0}

    def run(self, lab: Lab, parameters: SignalParameters, settings: Settings, report: Report) -> None:
        """Take the ports; ask for more, twice."""
        alice, target = lab.clients[0], (str(lab.topology.addresses[lab.servers[0].name][0]), PORT)
        with inside(lab.servers[0]):
            server = Server(target)
        with inside(alice):
            with report.phase("take the only ports"):
                holders = [Client(stream, False, target) for stream in (True, False)]
                listen(holders, server, HOLDER_PATIENCE_S)
            newcomers: list[Client] = []
            for queue in (False, True):
                with report.phase("ask for more, with IP_RECVERR" if queue else "ask for more"):
                    asking = [Client(stream, queue, target) for stream in (True, False)]
                    listen(asking, server, parameters.patience)
                newcomers += asking  # which keeps those open that got through
        signals = [newcomer.signal for newcomer in newcomers]
        report.series(signals=[asdict(signal) for signal in signals])
        check(report, [str(holder.signal) for holder in holders], signals, settings)


def check(report: Report, held: list[str], signals: list[Signal], settings: Settings) -> None:
    """Compare what was told with what the settings promise."""
    report.check("alice has the only ports", expected=["connected", "answered"], observed=held, source="set-up")
    policy, waiting = settings.on_exhaustion, 0.0
    if policy == "hold":
        policy, waiting = settings.fallback, settings.hold_timeout * settings.time_scale
    elif policy == "evict-lru":
        waiting = PORT_REST_S
    tcp, udp = ANSWERS[policy, settings.icmp_code]
    without, with_queue = UDP_IS_TOLD[udp]
    promised = (TCP_IS_TOLD[tcp], without, TCP_IS_TOLD[tcp], with_queue)
    for signal, expected in zip(signals, promised, strict=True):
        report.check(
            f"{signal.client} is told", expected=expected, observed=str(signal), source="ip(7), tcp(7), udp(7)"
        )
    told = [signal.seconds for signal in signals if signal.seconds is not None]
    if not told:
        return
    report.check_at_most(
        f"whoever is told, is told in time: seconds beyond the {waiting:g} s of {settings.on_exhaustion}",
        limit=IN_TIME_S,
        observed=round(max(told) - waiting, 3),
        source="this scenario's IN_TIME_S",
    )
    if settings.on_exhaustion == "hold":
        report.check(
            "nobody is told before the hold has ended",
            expected=True,
            observed=min(told) >= waiting,
            source="hold_timeout",
        )


class Server:
    """Accepts every connection, which the kernel does by itself, and returns every datagram."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.stream = socket.create_server(address)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(address)

    def answer(self) -> None:
        """Return one datagram."""
        data, sender = self.datagrams.recvfrom(512)
        self.datagrams.sendto(data, sender)


class Client:
    """A program that connects, or sends a datagram, and waits for what its kernel tells it."""

    def __init__(self, is_stream: bool, queue: bool, target: tuple[str, int]) -> None:
        self.is_stream = is_stream
        self.signal = Signal(("tcp" if is_stream else "udp") + (" with IP_RECVERR" if queue else ""))
        kind = socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        if queue:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        self._asked_at = time.monotonic()
        self.socket.connect_ex(target)
        if not is_stream:
            self.socket.send(b"hello")

    @property
    def awaits(self) -> int:
        """The event of success; errors come unasked."""
        return select.POLLOUT if self.is_stream else select.POLLIN

    def hear(self) -> None:
        """Take what the kernel has to tell."""
        self.signal.seconds = round(time.monotonic() - self._asked_at, 4)
        # The queue first: the kernel fills it, and wakes us, before it notes the socket's error (udp_err).
        error = self._read_error_queue() or self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.signal.errno = errno.errorcode[error]
        else:
            self.signal.success = "connected" if self.is_stream else "answered"

    def _read_error_queue(self) -> int:
        """Note type, code and sender of the ICMP error, if the queue has one (ip(7)), and return its errno."""
        try:
            _, ancillary, _, _ = self.socket.recvmsg(512, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return 0  # it is empty
        number = 0
        for level, kind, data in ancillary:
            if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
                number, origin, icmp_type, icmp_code, _, _, _ = EXTENDED_ERROR.unpack_from(data)
                if origin == ORIGIN_ICMP:
                    self.signal.icmp_type, self.signal.icmp_code = icmp_type, icmp_code
                    # Behind it is the sender's struct sockaddr_in.
                    self.signal.icmp_sender = socket.inet_ntoa(data[EXTENDED_ERROR.size + 4 :][:4])
        return int(number)


def listen(clients: list[Client], server: Server, patience: float) -> None:
    """Return when every client was told something, or after `patience` seconds; those told nothing give up."""
    waiting = {client.socket.fileno(): client for client in clients}
    poll = select.poll()
    poll.register(server.datagrams, select.POLLIN)
    for descriptor, client in waiting.items():
        poll.register(descriptor, client.awaits)
    deadline = time.monotonic() + patience
    while waiting and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            if descriptor in waiting:
                poll.unregister(descriptor)
                waiting.pop(descriptor).hear()
            else:
                server.answer()
    for client in waiting.values():
        client.socket.close()  # or it would go on asking, and take part in the next round


@contextmanager
def inside(host: Any) -> Iterator[None]:
    """Be in a host's network namespace for a while; a socket made there stays there."""
    ours = os.open("/proc/self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/proc/{host.pid}/ns/net", os.O_RDONLY)
    enter_namespace(theirs, CLONE_NEWNET)
    try:
        yield
    finally:
        enter_namespace(ours, CLONE_NEWNET)
        os.close(ours)
        os.close(theirs)
