"""A full NAT throws the least recently used connection out: who goes, and what its two ends see of that.

Set-up        a pool of `ports` ports, all in use: the older half by busy connections, the rest by idle ones;
              the first of the idle is watched from both of its ends
Action        open as many more as are idle; then let the watched client say something, and then its server
Expectation   the idle ones go, in spite of being younger; the busy ones stay. The evicted client is told
              nothing. What its server sends reaches whoever has the port now, if the filtering lets it pass
"""

from __future__ import annotations

import errno
import select
import socket
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.filling import Filling
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import room
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, Scenario
from testbed.sandbox.linux import network_of
from testbed.traffic.attempt import KINDS
from topologies.gateways.behaviour import Behaviour, Entry

WATCHED_PORT = 4000
"""Where the watched client's server listens: on another port than the other servers."""
SETTLED_S = 5.0
"""Within which the watched connection is made."""
KEPT_BUSY_S = 3.5
"""How long at least: a use counts as at the packet count before it, and the busy ones' comes after some 2 s."""
STRANGER = {"tcp": "ECONNRESET", "udp": "ECONNREFUSED"}
"""What a sender gets from a host that knows nothing of it (RFC 9293 section 3.5.2, RFC 1122 section 4.1.3.1)."""


class EvictionParameters(Parameters):
    """The size of the experiment."""

    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")
    busy: float = Field(
        KEPT_BUSY_S,
        strict=True,
        ge=KEPT_BUSY_S,
        le=60,
        description="seconds for which the busy ones are kept busy first",
    )
    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds for which an answer is waited for"
    )


class Eviction(Scenario):
    """Who is thrown out of a full NAT to make room, and how does it learn of that?"""

    name = "eviction"
    claim = "the least recently used connection is thrown out and its port reused"
    Parameters: ClassVar[type[Parameters]] = EvictionParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 16,
        "on_exhaustion": "evict-lru",
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
        "port_set_size": 2,
    }

    @classmethod
    def complete(
        cls, parameters: EvictionParameters, settings: Settings
    ) -> tuple[EvictionParameters, dict[str, Any]]:
        """Let no mapping end by itself meanwhile."""
        if room(settings, parameters.protocol, parameters.clients) < 4:
            raise ConfigurationError(
                "eviction needs room for at least 4 connections, busy ones and idle ones; take more ports, or "
                "a higher limit"
            )
        return parameters, {"udp_timeout": (20 + parameters.busy + 2 * parameters.patience) / settings.time_scale}

    @classmethod
    def check(cls, parameters: EvictionParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse a NAT that evicts nobody."""
        if behaviour.ports_exhausted.value.evicts != "lru":
            raise ConfigurationError(
                "eviction is about a NAT that makes room for newcomers, and under these settings this one keeps "
                "every mapping; take on_exhaustion=evict-lru"
            )

    def run(self, lab: Lab, parameters: EvictionParameters, settings: Settings, report: Report) -> None:
        """Fill the pool, keep the older half busy, and ask for more."""
        capacity = room(settings, parameters.protocol, parameters.clients)
        idle = capacity // 2
        busy = range(1, capacity - idle + 1)
        idling = range(busy.stop, busy.stop + idle - 1)
        newcomers = range(idling.stop, idling.stop + idle)
        filling = Filling(lab, report, protocol=parameters.protocol, attempts=newcomers.stop, held=newcomers.stop)
        patience = parameters.patience

        filled = filling.fill("fill", busy, patience=patience, in_order=1)
        watched = Watched(lab, parameters.protocol)
        filled += filling.fill("fill", idling, patience=patience, in_order=1)
        filling.keep_busy(busy, parameters.busy)
        evicting = filling.fill("evict", newcomers, patience=patience, in_order=idle)

        still_busy = filling.echo(busy) | filling.echo(newcomers)
        with report.phase("watch"):
            client_sees = watched.client_says(patience)
            server_sees = watched.server_says(patience)
        taken = {attempt.seen for attempt in evicting.established}
        gone = [attempt for attempt in filled.established if attempt.seen in taken]

        report.check(
            f"all {idle} newcomers are established",
            expected=idle,
            observed=len(evicting.established),
            source="on_exhaustion=evict-lru",
        )
        report.check(
            "every busy connection carries data on, though it is older",
            expected=len(busy),
            observed=len(still_busy & set(busy)),
            source="docs/exhaustion.md: the least recently used goes",
        )
        report.check(
            "the newcomers have the ports of the idle ones, the watched one's among them",
            expected=[*idling, "watched"],
            observed=[*(attempt.number for attempt in gone), *(["watched"] if watched.seen in taken else [])],
            source="docs/exhaustion.md: one goes for each newcomer",
        )
        self._check_told(client_sees, server_sees, parameters.protocol, lab.behaviour.filtering, report)

        # None should be left to ask.
        left = set(idling) - {attempt.number for attempt in gone}
        echoed = still_busy | (filling.echo(idling) & left if left else set())
        _, leaked = lab.leaks()
        attempts = (filled + evicting).attempts
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=echoed, leaked=leaked))
        counters = lab.gateway.counters(parameters.protocol)
        report.counters(counters)
        # A datagram of the evicted is a new flow, for which the next must go.
        again = 1 if parameters.protocol == "udp" else 0
        report.check(
            "the gateway agrees: so many mappings were evicted",
            expected=idle + again,
            observed=counters["evicted_mappings"],
            source="on_exhaustion=evict-lru",
        )
        report.tell(
            "eviction",
            parameters=parameters,
            busy=len(busy),
            idle=idle,
            gone=len(gone),
            taken=taken,
            watched=watched,
            client_sees=client_sees,
            server_sees=server_sees,
        )

    @staticmethod
    def _check_told(client: str, server: str, protocol: str, filtering: Entry[str], report: Report) -> None:
        report.check(
            "the evicted client's next packet: no error comes back"
            if protocol == "tcp"
            else "the evicted client's next packet is a new flow: it arrives, from another endpoint",
            expected="nothing" if protocol == "tcp" else "arrived",
            observed=client,
            source="docs/design.md: a segment of no connection that is known is dropped; the RFCs leave it open"
            if protocol == "tcp"
            else "RFC 4787 REQ-1",
        )
        passes = filtering.value != "edf"
        report.check(
            "the server's next packet reaches the stranger who has the port now, whose host rejects it"
            if passes
            else "the server's next packet is filtered: it hears nothing",
            expected=STRANGER[protocol] if passes else "nothing",
            observed=server,
            source=f"RFC 4787 REQ-8; {filtering}",
        )


class Watched:
    """One connection of which we hold both ends; `seen` is its external endpoint."""

    def __init__(self, lab: Lab, protocol: str) -> None:
        self._kind, _ = KINDS[protocol]
        self._server_host, client = lab.servers[0], lab.clients[0]
        self._target = (str(lab.topology.addresses[self._server_host.name][0]), WATCHED_PORT)
        self._is_stream = protocol == "tcp"
        listener = self._listening()
        with network_of(client.netns):
            self._client = socket.socket(socket.AF_INET, self._kind)
        self._client.settimeout(SETTLED_S)
        self._client.connect(self._target)
        if self._is_stream:
            self._server, self.seen = listener.accept()
            self._awaiting = self._server
        else:
            self._client.send(b"hello")
            self.seen = listener.recvfrom(64)[1]
            self._awaiting = listener
            # A socket that is connected hears of errors, and takes nothing from anybody else.
            self._server = self._listening()
            self._server.connect(self.seen)

    def _listening(self) -> socket.socket:
        with network_of(self._server_host.netns):
            made = socket.socket(socket.AF_INET, self._kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(SETTLED_S)
        made.bind(self._target)
        if self._is_stream:
            made.listen()
        return made

    def client_says(self, patience: float) -> str:
        """Let the client send something; return `arrived`, `nothing`, or the error that came back."""
        self._client.send(b"are you there?")
        return _heard(self._awaiting, self._client, patience)

    def server_says(self, patience: float) -> str:
        """Let the server send something; return `arrived`, `nothing`, or the error that came back."""
        self._server.send(b"are you there?")
        return _heard(self._client, self._server, patience)


def _heard(receiver: socket.socket, sender: socket.socket, patience: float) -> str:
    """Wait for what was sent to arrive at the receiver, or for an error at the sender."""
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    poll.register(sender, 0)
    for descriptor, _ in poll.poll(patience * 1000):
        if descriptor == receiver.fileno():
            return "arrived"
        return errno.errorcode[sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
    return "nothing"
