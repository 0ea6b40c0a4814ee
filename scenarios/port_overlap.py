"""The same ports to several destinations: does a NAT that is full toward one have room toward another?

Set-up        a NAT with one address and `ports` external ports; `destinations` services, on as many addresses
              as the servers have, then on further ports; every connection from a source port of its own
Action        open `ports` connections and `beyond` more to each service, to all of them in turn; use each
Expectation   by `port_overlapping`: with `endpoint`, each service gets `ports` of them, and every external port
              serves them all at once; with `address`, each address does; with `off`, all together get `ports`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.port_exhaustion import MOST_PER_CLIENT
from scenarios.shared.filling import WINDOW, Filled, Filling, outlasting
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import (
    Promise,
    check_refused,
    dropped,
    packets_refused,
    require_ports_run_short,
    settled,
)
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.traffic.records import Sighting
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

ONCE_BELIEVED = 65_535
"""The number that no NAT can exceed, by the claim."""


class OverlapParameters(PatientParameters):
    """The size of the experiment."""

    destinations: int = Field(2, strict=True, ge=2, le=256, description="services to connect to")
    beyond: int = Field(
        16, strict=True, ge=1, le=100_000, description="connections to try to each service beyond the ports"
    )
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class PortOverlap(Scenario):
    """Can a NAT with one address have more than 65,535 connections at once?"""

    name = "port-overlap"
    claim = '"more than 65,535 connections at once? No." / "yes: a port is reused when the destination differs"'
    Parameters: ClassVar[type[Parameters]] = OverlapParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 64,
        "mapping_type": "edm",
        "filtering_type": "edf",
        "port_overlapping": "endpoint",
        "port_set_size": 8,
        "hold_down_timeout": 0,
    }

    cached_flows = 0

    @classmethod
    def complete(
        cls, parameters: OverlapParameters, settings: Settings
    ) -> tuple[OverlapParameters, dict[str, Any]]:
        """Fill in idle timers that are longer than the fill and the echoes."""
        if len(settings.external_addresses) > 1:
            raise ConfigurationError(
                "setting external_addresses: port-overlap is about the ports of one address, so take "
                "external_addresses=1; the scenario address-pool has more"
            )
        attempts = _attempts(parameters, settings)
        if attempts > parameters.clients * MOST_PER_CLIENT:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with {attempts:,} attempts (destinations "
                f"times ports and beyond): each has {MOST_PER_CLIENT:,} source ports of its own; take more clients"
            )
        # Datagrams that were refused open the window wide only after a moment, and the echoes come after all.
        idle = outlasting(attempts, settings, besides=20 + 2 * parameters.patience)
        return parameters, {"udp_timeout": idle}

    @classmethod
    def check(cls, parameters: OverlapParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse what lets anything but the ports run short."""
        require_ports_run_short(
            cls.name,
            settings,
            protocol=parameters.protocol,
            clients=parameters.clients,
            connections=settings.ports * parameters.destinations,
        )

    @classmethod
    def open_sockets(cls, parameters: OverlapParameters, settings: Settings) -> int:
        """Every attempt is a socket."""
        return _attempts(parameters, settings)

    def run(self, lab: Lab, parameters: OverlapParameters, settings: Settings, report: Report) -> None:
        """Open more than `ports` connections to each service, use them, and see who shares a port."""
        promise = Promise.of(lab.behaviour, settings, protocol=parameters.protocol, clients=parameters.clients)
        everyone = range(1, _attempts(parameters, settings) + 1)
        filling = Filling(
            lab,
            report,
            protocol=parameters.protocol,
            attempts=len(everyone),
            held=parameters.destinations * promise.capacity,
            destinations=parameters.destinations,
            own_ports=True,
        )
        reuse = reuses(lab.behaviour.overlapping.value, filling.targets)

        filled = filling.fill("fill", everyone, patience=parameters.patience, in_order=_in_order(settings))
        refused = packets_refused(filled.attempts, promise)
        at_full = settled(lab.gateway, parameters.protocol, dropping=refused)
        echoed = filling.echo(everyone)
        kept = {attempt.nonce for attempt in filled.established if attempt.number in echoed}
        users = at_once(seen for seen in filling.sightings() if seen.nonce in kept)

        _check_fill(filled, reuse, promise, lab.behaviour, report)
        _check_reuse(filled, echoed, users, reuse, lab.behaviour, report)
        _check_counters(at_full, filled, refused, report)
        _, leaked = lab.leaks()
        counts = outcomes(filled.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked)
        report.outcomes(counts)
        report.tell(
            "port_overlap",
            parameters=parameters,
            settings=settings,
            overlapping=lab.behaviour.overlapping.value,
            filled=filled,
            echoed=len(echoed),
            external=len(users),
            most_targets=max((len(targets) for targets in users.values()), default=0),
            believed=ONCE_BELIEVED,
        )


def reuses(overlapping: str, targets: Iterable[Endpoint]) -> int:
    """Return toward how many of these destinations one port may be in use at once (RFC 7857 section 3)."""
    told_apart: dict[str, Callable[[Endpoint], object]] = {
        "endpoint": lambda target: target,
        "address": lambda target: target[0],
        "off": lambda target: None,
    }
    return len({told_apart[overlapping](target) for target in targets})


def at_once(sightings: Iterable[Sighting]) -> dict[Endpoint, set[Endpoint]]:
    """Return by external endpoint the destinations that it was in use toward at one and the same time."""
    spans: dict[Endpoint, list[Sighting]] = defaultdict(list)
    for seen in sightings:
        spans[seen.external].append(seen)
    users = {}
    for external, seen_there in spans.items():
        moment = max(seen.first for seen in seen_there)
        users[external] = {seen.target for seen in seen_there if seen.last >= moment}
    return users


def _attempts(parameters: OverlapParameters, settings: Settings) -> int:
    return parameters.destinations * (settings.ports + parameters.beyond)


def _in_order(settings: Settings) -> int:
    """How many attempts are under way at once while all are answered: one for each 64 ports."""
    return min(WINDOW, max(1, settings.ports // 64))


def _check_fill(filled: Filled, reuse: int, promise: Promise, behaviour: Behaviour, report: Report) -> None:
    """Check how many were established, and what became of the others."""
    least, most = promise.least * reuse, promise.capacity * reuse
    report.check_between(
        f"{most} connections are established at once: {reuse} for each port"
        if reuse > 1
        else f"{most} connections are established at once, whatever their destinations",
        least=least,
        most=most,
        observed=len(filled.established),
        source=f"RFC 7857 section 3; {behaviour.overlapping}",
    )
    check_refused(filled.attempts, promise, report)


def _check_reuse(
    filled: Filled,
    echoed: set[int],
    users: dict[Endpoint, set[Endpoint]],
    reuse: int,
    behaviour: Behaviour,
    report: Report,
) -> None:
    """Check by the servers' eyes which ports were in use toward what, when all connections stood."""
    established = len(filled.established)
    report.check(
        "every one of them carries data, from the same external endpoint as before",
        expected=established,
        observed=len(echoed),
        source="RFC 4787 REQ-3, RFC 5382 REQ-7",
    )
    report.check(
        "the servers saw as many different pairs of external endpoint and destination at once",
        expected=established,
        observed=sum(len(targets) for targets in users.values()),
        source="RFC 4787 REQ-3: the pair tells the connections apart",
    )
    report.check(
        f"one external endpoint is in use toward {reuse} destinations at once"
        if reuse > 1
        else "no external endpoint is in use toward two destinations",
        expected=reuse,
        observed=max((len(targets) for targets in users.values()), default=0),
        source=str(behaviour.overlapping),
    )


def _check_counters(at_full: dict[str, int | None], filled: Filled, refused: int, report: Report) -> None:
    """Ask the second witness."""
    report.counters(at_full)
    if at_full["total_sessions"] is not None:
        report.check(
            "the gateway agrees: so many sessions stand",
            expected=len(filled.established),
            observed=at_full["total_sessions"],
            source="RFC 8512 total-sessions",
        )
    report.check(
        "the gateway agrees: it dropped every packet of the refused attempts",
        expected=True,
        observed=dropped(at_full) >= refused,
        source="RFC 8512 dropped-port-packets and its like",
    )
