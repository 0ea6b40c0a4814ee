"""When exactly does a port come back?

Set-up        one client that holds every port of a small pool, TCP and UDP; short timers
Action        its connections end, each in a way of its own, all at once; another client tries again and again,
              each time with a new socket, and keeps what it gets. The server tells which port that is
Expectation   none gets through before; then each port is given again when the gateway declares it: not before the
              timer of its ending, and soon after
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.clients import Client, listen
from scenarios.shared.servers import Server
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import PORT, Lab
from testbed.experiment.parameters import Parameters
from testbed.experiment.report import Report
from testbed.experiment.scenario import Scenario
from testbed.traffic.kernel import is_half_closed
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

RELEASE_SLACK_S = 1.5
"""What is granted beyond the timers: a probe every PROBE_EVERY_S, and a busy machine that delays them all."""
TICK_S = 0.02
"""By how much a timer may end too early: kernels count time in ticks, of 10 ms at most."""
PROBE_EVERY_S = 0.1
PROBE_LIFE_S = 0.9
"""A probe is closed before its kernel sends again: it asked once, and leaves nothing behind."""
ANSWERED_WITHIN_S = 5.0
FULL_FOR_S = 0.5
"""For so long nobody gets through before anything ends."""
ROOM_S = 0.5
LISTEN_S = 0.02
MOST_PORTS = 50

TCP_ENDINGS = {
    "close": "an orderly close, by both sides",
    "half-close": "one side closed, and the other is never heard of again",
    "late close": "one side closed, and a while later the other",
    "reset": "a RST",
    "silence": "silence: both sides lost their power",
}
UDP_ENDING = {"udp": "UDP: the last datagram"}
ENDINGS = {**TCP_ENDINGS, **UDP_ENDING}
"""Every way to end, as the checks name it."""


class ReleaseParameters(Parameters):
    """Nothing more than every scenario has, but fewer clients."""

    clients: int = Field(
        2, strict=True, ge=2, description="inside hosts: one that holds ports, one that wants them"
    )


class Holder:
    """A connection that ends in its way; `ended_at` is the moment from which its timer runs."""

    def __init__(self, client: Client, ending: str, pause: float) -> None:
        self.client = client
        self.ending = ending
        self.ended_at: float | None = None
        self._pause = pause
        self._begun_at = 0.0

    @property
    def endpoint(self) -> tuple[str, Endpoint]:
        """What it holds: protocol and external endpoint."""
        assert self.client.told is not None
        assert self.client.told.seen is not None
        return self.client.protocol, self.client.told.seen

    def begin(self, server: Server) -> None:
        """Do the client's part."""
        self._begun_at = time.monotonic()
        match self.ending:
            case "reset":
                self.ended_at = self._begun_at
                self.client.reset()
            case "silence":
                self.ended_at = self.client.asked_at  # what it said last
                self.client.vanish()
                server.connections[self.client.nonce].vanish()
            case "udp":
                self.ended_at = self.client.asked_at
            case _:
                self.client.shut()

    def go_on(self, server: Server) -> None:
        """Do the server's part, once it has noticed."""
        connection = server.connections[self.client.nonce]
        if self.ended_at is not None or not connection.other_side_closed:
            return
        now = time.monotonic()
        if self.ending == "half-close":
            if is_half_closed(self.client.socket):  # or its FIN would come again, and be answered by a reset
                self.ended_at = self._begun_at
                connection.vanish()  # or it would object to the next client behind this port (RFC 5961 section 4)
        elif self.ending == "close" or now >= self._begun_at + self._pause:
            self.ended_at = now
            connection.close()


class Probing:
    """Another client, which asks for every port that is still out, each time with a new socket."""

    def __init__(self, netns: str, target: Endpoint) -> None:
        self._netns = netns
        self._target = target
        self._next_at = 0.0
        self.under_way: list[Client] = []
        self.ended: list[Client] = []
        self.got: dict[tuple[str, Endpoint], float] = {}
        """When each port was first seen to be given again."""

    def go_on(self, out: dict[str, int]) -> None:
        """Take what was answered; give up what was not; ask again, for so many ports of each protocol."""
        now = time.monotonic()
        for probe in list(self.under_way):
            if probe.told is None and now < probe.asked_at + PROBE_LIFE_S:
                continue
            self.under_way.remove(probe)
            self.ended.append(probe)
            if probe.told is not None and probe.told.seen is not None:
                self.got.setdefault((probe.protocol, probe.told.seen), probe.asked_at + probe.told.seconds)
            else:
                probe.close()
        if now >= self._next_at:
            self._next_at = now + PROBE_EVERY_S
            for protocol, ports in out.items():
                self.under_way += [Client(self._netns, protocol, self._target, queue=True) for _ in range(ports)]


class Release(Scenario):
    """When exactly does the port of a connection that has ended come back?"""

    name = "release"
    claim = "when a connection is closed, its port is released for reuse"
    Parameters: ClassVar[type[Parameters]] = ReleaseParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": len(TCP_ENDINGS),
        "tcp_trans_close_timeout": 2,
        "tcp_rst_timeout": 2,
        "tcp_idle_timeout": 4,
        "udp_timeout": 3,
        "hold_down_timeout": 0,
    }

    @classmethod
    def check(cls, parameters: ReleaseParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse where ports cannot be told apart, or do not wait for a timer."""
        shortage = behaviour.ports_exhausted.value
        if shortage.holds or shortage.evicts != "nothing" or shortage.outcome is None:
            raise ConfigurationError(
                f"setting on_exhaustion={settings.on_exhaustion} is not possible with release: who asks for a "
                "port must be refused at once while there is none; take drop, icmp or reset"
            )
        if not len(TCP_ENDINGS) <= settings.ports <= MOST_PORTS or len(settings.external_addresses) > 1:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with release: one port for each of the "
                f"{len(TCP_ENDINGS)} endings of TCP, at one address; take {len(TCP_ENDINGS)} to {MOST_PORTS}, "
                "and external_addresses=1"
            )
        if _pause(settings, behaviour) is None:
            closed = behaviour.port_back.value["close"][1]
            enough = math.ceil((closed + 2 * ROOM_S) / settings.time_scale)
            raise ConfigurationError(
                f"setting tcp_idle_timeout={settings.tcp_idle_timeout:g} is not possible with release: a "
                "half-closed connection is to outlive a closed one, whose port is back after up to "
                f"{closed:g} s with this gateway; take tcp_idle_timeout={enough} or more"
            )

    def run(self, lab: Lab, parameters: ReleaseParameters, settings: Settings, report: Report) -> None:
        """Hold everything, end it, and see when it comes back."""
        target = (str(lab.topology.addresses[lab.servers[0].name][0]), PORT)
        declared = lab.behaviour.port_back
        pause = _pause(settings, lab.behaviour)
        assert pause is not None
        server = Server(lab.servers[0].netns, target)
        lab.ask_as_well(server)
        with report.phase("take every port"):
            holders = _hold(lab.clients[0].netns, target, settings.ports, pause, server)
        held = [holder for holder in holders if holder.client.told and holder.client.told.seen]
        report.check(
            "one client holds every port, for TCP and for UDP",
            expected=2 * settings.ports,
            observed=len(held),
            source="set-up",
        )

        probing = Probing(lab.clients[1].netns, target)
        with report.phase("nothing ends"):
            full_until = time.monotonic() + FULL_FOR_S
            _probe(probing, held, server, lambda: time.monotonic() >= full_until, report)
        report.check(
            "nobody else gets one while nothing ends", expected=0, observed=len(probing.got), source="set-up"
        )
        with report.phase("all end, each in its way"):
            for holder in held:
                holder.begin(server)
            latest = max(last for _, last in declared.value.values()) + pause + RELEASE_SLACK_S
            give_up_at = time.monotonic() + latest
            _probe(probing, held, server, lambda: time.monotonic() >= give_up_at, report)

        back = _back(held, probing)
        for ending, words in ENDINGS.items():
            _check(words, back[ending], declared.value[ending], str(declared), report)
        probes = [*probing.ended, *probing.under_way]
        attempts = [probe.attempt(number) for number, probe in enumerate(probes, start=1)]
        echoed = {attempt.number for attempt in attempts if attempt.outcome == "established"}
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=echoed, leaked=lab.leaks()[1]))
        report.counters(lab.gateway.counters("tcp"))
        report.series(port_back=[{"ending": ending, "seconds": seconds} for ending, seconds in back.items()])
        report.tell("release", settings=settings, back=back, endings=ENDINGS, declared=declared.value, pause=pause)


def _pause(settings: Settings, behaviour: Behaviour) -> float | None:
    """How long a connection stays half-closed: longer than a closed one would last, and never so long as idle."""
    closed, idle = behaviour.port_back.value["close"][1], settings.tcp_idle_timeout * settings.time_scale
    return (closed + idle) / 2 if idle - closed >= 2 * ROOM_S else None


def _hold(netns: str, target: Endpoint, ports: int, pause: float, server: Server) -> list[Holder]:
    """Take so many ports of each protocol; the endings of TCP take turns."""
    ways = list(TCP_ENDINGS)
    holders = [Holder(Client(netns, "tcp", target), ways[n % len(ways)], pause) for n in range(ports)]
    holders += [Holder(Client(netns, "udp", target), "udp", pause) for _ in range(ports)]
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    clients = [holder.client for holder in holders]
    while any(client.waits for client in clients) and time.monotonic() < deadline:
        listen([*clients, *server.listeners()], LISTEN_S)
    return holders


def _probe(
    probing: Probing, held: list[Holder], server: Server, is_over: Callable[[], bool], report: Report
) -> None:
    """Ask for ports until all are back, or it is over; meanwhile connections end as they have begun to."""
    ports = {holder.endpoint for holder in held}
    while (out := ports - probing.got.keys()) and not is_over():
        counts = {protocol: sum(one == protocol for one, _ in out) for protocol in ("tcp", "udp")}
        probing.go_on(counts)
        listen([*probing.under_way, *server.listeners()], LISTEN_S)
        for holder in held:
            if holder.client.nonce in server.connections:
                holder.go_on(server)
        report.progress(len(ports) - len(out), len(ports))
    probing.go_on({})


def _back(held: list[Holder], probing: Probing) -> dict[str, list[float | None]]:
    """Return for each ending after how many seconds its ports were given again; None for one that was not."""
    back: dict[str, list[float | None]] = {ending: [] for ending in ENDINGS}
    for holder in held:
        got = probing.got.get(holder.endpoint)
        known = got is not None and holder.ended_at is not None
        back[holder.ending].append(round(got - holder.ended_at, 3) if known else None)  # type: ignore[operator]
    return back


def _check(
    words: str, back: list[float | None], declared: tuple[float, float], source: str, report: Report
) -> None:
    earliest, latest = declared
    times = [math.inf if each is None else each for each in back]
    for which, observed in (
        ("the first", min(times, default=math.inf)),
        ("the last", max(times, default=math.inf)),
    ):
        report.check_between(
            f"after {words}: seconds until {which} such port was given again",
            least=round(max(0.0, earliest - TICK_S), 3),
            most=round(latest + RELEASE_SLACK_S, 3),
            observed=observed if math.isfinite(observed) else None,
            source=f"{source}; and RELEASE_SLACK_S, TICK_S",
        )
        if len(back) == 1:
            return
