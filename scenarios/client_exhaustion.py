"""The client's own ports run out before the NAT's: the same complaint, another culprit.

Set-up        alice, whose kernel may use only `client_ports` ports of its own; a NAT with more than those
Action        alice connects to one service until it fails, and some times more; bob connects as well. Then bob
              takes every port that the NAT has left, and he and carol connect once more
Expectation   alice's kernel refuses at once (EADDRNOTAVAIL), sends no packet, and nobody else is concerned. The
              NAT refuses everybody, as it declares, after a SYN has left the host
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.clients import Client, listen
from testbed.evidence.outcomes import outcomes
from testbed.evidence.witnesses import SynCounter
from testbed.experiment.lab import Lab
from testbed.experiment.promise import DROPPED, Promise
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.sandbox.linux import network_of
from testbed.traffic.records import Opening
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST_LOCAL_PORT = 32768
BEYOND = 3
"""How many connections alice tries beyond her last port."""
AT_ONCE_S = 0.5
"""What a busy machine is granted for a refusal within one host; it takes microseconds, and no packet."""
ANSWERED_WITHIN_S = 5.0
WINDOW = 64
SOURCE = "connect(2): EADDRNOTAVAIL; ip-sysctl: ip_local_port_range"


class ClientParameters(PatientParameters):
    """The size of the experiment."""

    client_ports: int = Field(
        16, strict=True, ge=1, le=4096, description="ports that alice's kernel may use (ip_local_port_range)"
    )


class ClientExhaustion(Scenario):
    """Is it the NAT that has run out of ports, or the client itself, and how can one tell?"""

    name = "client-exhaustion"
    claim = "your own computer can run out of ports in the same way"
    Parameters: ClassVar[type[Parameters]] = ClientParameters
    settings: ClassVar[dict[str, Any]] = {"ports": 64}

    @classmethod
    def check(cls, parameters: ClientParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse where the NAT would be full first, or is never full."""
        if parameters.clients < 3:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with client-exhaustion: alice runs out, "
                "bob and carol do not; take clients=3"
            )
        promise = Promise.of(behaviour, settings, protocol="tcp", clients=parameters.clients)
        if promise.outcome is None or promise.evicts:
            raise ConfigurationError(
                f"setting on_exhaustion={settings.on_exhaustion} is not possible with client-exhaustion: the "
                "NAT has to refuse, for comparison; take drop, icmp, reset or hold"
            )
        if not promise.takes_all_ports or len(settings.external_addresses) > 1:
            raise ConfigurationError(
                "client-exhaustion needs a NAT whose ports run out, at one address: take external_addresses=1, "
                f"and no limit below ports={settings.ports}"
            )
        if not parameters.client_ports + 1 < settings.ports <= behaviour.finds_every_port_of.value:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with client_ports={parameters.client_ports} and "
                "this gateway: the NAT must have more than alice and bob take, and fill up to the last; take "
                f"ports={parameters.client_ports + 2} to {behaviour.finds_every_port_of.value}"
            )

    @classmethod
    def open_sockets(cls, parameters: ClientParameters, settings: Settings) -> int:
        """Every port of the NAT is a socket."""
        return settings.ports

    def run(self, lab: Lab, parameters: ClientParameters, settings: Settings, report: Report) -> None:
        """Exhaust alice, ask bob, exhaust the NAT, ask bob and carol."""
        alice, bob, carol = lab.clients[:3]
        promise = Promise.of(lab.behaviour, settings, protocol="tcp", clients=len(lab.clients))
        target = lab.serve("tcp", held=settings.ports).targets[0]
        _limit(alice, parameters.client_ports)
        leaving = {host.name: SynCounter(host.netns, "eth0") for host in (alice, bob, carol)}
        arriving = SynCounter(lab.servers[0].netns, "eth0")

        with report.phase("alice takes all ports of her own"):
            kept = _connect(alice, target, parameters.client_ports, ANSWERED_WITHIN_S)
        before, outside = leaving[alice.name].count(), arriving.count()
        with report.phase("and goes on"):
            own = _connect(alice, target, BEYOND, ANSWERED_WITHIN_S)
        sent = leaving[alice.name].count() - before
        arrived = arriving.count() - outside
        with report.phase("bob connects"):
            others = _connect(bob, target, 1, ANSWERED_WITHIN_S)
        counters = lab.gateway.counters("tcp")
        _check_client(kept, own, sent, arrived, report)
        _check_nat_is_free(others, counters, settings, report)

        left = settings.ports - parameters.client_ports - len(others)
        with report.phase("bob takes all ports of the NAT"):
            filled = lab.drive("tcp", attempts=left).open(
                [Opening(number, 1, target) for number in range(1, left + 1)],
                patience=ANSWERED_WITHIN_S,
                first_window=1,
                window=WINDOW,
                progress=lambda done: report.progress(done, left),
            )
        got_through = sum(attempt.outcome == "established" for attempt in filled)
        before, outside = leaving[bob.name].count() + leaving[carol.name].count(), arriving.count()
        with report.phase("bob and carol go on"):
            refused = _connect(bob, target, 1, parameters.patience, carol)
        sent_by_others = leaving[bob.name].count() + leaving[carol.name].count() - before
        report.check("the NAT gives all its ports", expected=left, observed=got_through, source="RFC 6888 REQ-13")
        _check_nat_is_full(refused, promise, sent_by_others, arriving.count() - outside, report)

        everyone = [*kept, *others, *refused]
        attempts = [each.attempt(-number) for number, each in enumerate(everyone, start=1)] + filled
        echoed = {attempt.number for attempt in attempts if attempt.outcome == "established"}
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=echoed, leaked=lab.leaks()[1]))
        report.counters(lab.gateway.counters("tcp"))
        report.series(
            refusals=[_row(each, "alice's kernel") for each in own] + [_row(each, "NAT") for each in refused]
        )
        report.tell(
            "client_exhaustion",
            parameters=parameters,
            settings=settings,
            own=own,
            sent=sent,
            free=settings.ports - parameters.client_ports,
            refused=refused,
            sent_by_others=sent_by_others,
        )


def _limit(host: Any, ports: int) -> None:
    """Let a host's kernel choose from so few ports of its own."""
    with network_of(host.netns):
        LOCAL_PORTS.write_text(f"{FIRST_LOCAL_PORT} {FIRST_LOCAL_PORT + ports - 1}")


def _connect(host: Any, target: Endpoint, count: int, patience: float, *more: Any) -> list[Client]:
    """Let a host connect so often, one after the other, or several hosts at once; keep what works."""
    clients: list[Client] = []
    for _ in range(count):
        asking = [Client(each.netns, "tcp", target, queue=True) for each in (host, *more)]
        deadline = time.monotonic() + patience
        while any(each.waits for each in asking) and (left := deadline - time.monotonic()) > 0:
            listen(asking, left)
        for each in asking:
            if each.waits or (each.told and not each.told.seen):
                each.close()  # it would go on asking
        clients += asking
    return clients


def _row(client: Client, by: str) -> dict[str, Any]:
    told = client.told
    return {"by": by, "told": str(told or "nothing"), "seconds": round(told.seconds, 4) if told else None}


def _check_client(kept: list[Client], own: list[Client], sent: int, arrived: int, report: Report) -> None:
    report.check(
        "alice has as many connections as her kernel has ports for her",
        expected=len(kept),
        observed=sum(str(each.told) == "answered" for each in kept),
        source=SOURCE,
    )
    report.check(
        "then her own kernel refuses",
        expected=["EADDRNOTAVAIL"] * len(own),
        observed=[str(each.told or "nothing") for each in own],
        source=SOURCE,
    )
    report.check_at_most(
        "at once (seconds)",
        limit=AT_ONCE_S,
        observed=max((round(each.told.seconds, 4) for each in own if each.told), default=None),
        source="this scenario's AT_ONCE_S",
    )
    report.check("no SYN of these left alice", expected=0, observed=sent, source="counted on her interface")
    report.check("and none came to the server", expected=0, observed=arrived, source="counted on its interface")


def _check_nat_is_free(
    others: list[Client], counters: dict[str, int | None], settings: Settings, report: Report
) -> None:
    report.check(
        "bob still gets through: the NAT has ports",
        expected=["answered"],
        observed=[str(each.told or "nothing") for each in others],
        source="set-up: ports above client_ports",
    )
    dropped = [counters.get(name) for name in DROPPED]
    report.check(
        "the gateway agrees: it has refused nothing so far",
        expected=0,
        observed=sum(each or 0 for each in dropped),
        source="RFC 8512 dropped-port-packets and its like",
    )


def _check_nat_is_full(refused: list[Client], promise: Promise, sent: int, arrived: int, report: Report) -> None:
    report.check(
        "now everybody is refused, and as the NAT declares",
        expected=[promise.outcome] * len(refused),
        observed=[each.attempt(0).outcome for each in refused],
        source=promise.source,
    )
    report.check(
        "their SYNs left the hosts",
        expected=True,
        observed=sent >= len(refused),
        source="counted on their interfaces",
    )
    report.check(
        "and did not pass the NAT", expected=0, observed=arrived, source="counted on the server's interface"
    )
