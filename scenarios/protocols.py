"""TCP, UDP and ping, each through the same NAT: does the one take the other's ports?

Set-up        a NAT with `ports` external ports; one server for each protocol, at one address
Action        open `ports` TCP connections and `beyond` more; then as many UDP flows; then as many pings, each
              with an identifier of its own; use all of them
Expectation   each protocol gets `ports` of them, and refuses at its own end, however full the others are: the
              ports of TCP and UDP and the identifiers of ICMP are different things with the same numbers
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.port_exhaustion import MOST_PER_CLIENT
from scenarios.shared.filling import Filled, Filling, outlasting
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
from topologies.gateways.behaviour import Behaviour

PROTOCOLS = ("tcp", "udp", "icmp")

Counters = dict[str, dict[str, int | None]]
"""A gateway's counters, by protocol."""


class ProtocolsParameters(PatientParameters):
    """The size of the experiment."""

    beyond: int = Field(8, strict=True, ge=1, le=10_000, description="attempts of each protocol beyond the ports")


class Protocols(Scenario):
    """When TCP has used up all ports, can UDP and ping still get through?"""

    name = "protocols"
    claim = "TCP, UDP and ICMP run out separately"
    Parameters: ClassVar[type[Parameters]] = ProtocolsParameters
    settings: ClassVar[dict[str, Any]] = {"ports": 32, "port_set_size": 4, "hold_down_timeout": 0}

    @classmethod
    def complete(
        cls, parameters: ProtocolsParameters, settings: Settings
    ) -> tuple[ProtocolsParameters, dict[str, Any]]:
        """Fill in idle timers that are longer than everything."""
        if len(settings.external_addresses) > 1:
            raise ConfigurationError(
                "setting external_addresses: protocols is about the ports of one address, so take "
                "external_addresses=1; the scenario address-pool has more"
            )
        attempts = settings.ports + parameters.beyond
        if attempts > MOST_PER_CLIENT:
            raise ConfigurationError(
                f"parameter beyond={parameters.beyond} is not possible with ports={settings.ports}: there are "
                f"only {MOST_PER_CLIENT:,} identifiers for {attempts:,} pings; take fewer of either"
            )
        idle = outlasting(3 * attempts, settings, besides=30 + 3 * parameters.patience)
        return parameters, {"udp_timeout": idle, "icmp_timeout": idle}

    @classmethod
    def check(cls, parameters: ProtocolsParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse what lets anything but the ports run short; the limits of all protocols count for all three."""
        for protocol in PROTOCOLS:
            require_ports_run_short(
                cls.name,
                settings,
                protocol=protocol,
                clients=parameters.clients,
                connections=len(PROTOCOLS) * settings.ports,
            )

    @classmethod
    def open_sockets(cls, parameters: ProtocolsParameters, settings: Settings) -> int:
        """Every attempt is a socket."""
        return len(PROTOCOLS) * (settings.ports + parameters.beyond)

    def run(self, lab: Lab, parameters: ProtocolsParameters, settings: Settings, report: Report) -> None:
        """Fill one protocol after the other, then use all that was established."""
        everyone = range(1, settings.ports + parameters.beyond + 1)
        promises = {
            protocol: Promise.of(lab.behaviour, settings, protocol=protocol, clients=parameters.clients)
            for protocol in PROTOCOLS
        }
        fillings = {
            protocol: Filling(
                lab, report, protocol=protocol, attempts=len(everyone), held=len(everyone), own_ports=True
            )
            for protocol in PROTOCOLS
        }
        filled: dict[str, Filled] = {}
        at_full: dict[str, Counters] = {}
        for protocol, filling in fillings.items():
            filled[protocol] = filling.fill(
                protocol, everyone, patience=parameters.patience, in_order=1, ahead=settings.ports
            )
            before = at_full[PROTOCOLS[PROTOCOLS.index(protocol) - 1]][protocol] if at_full else {}
            dropping = dropped(before) + packets_refused(filled[protocol].attempts, promises[protocol])
            settled(lab.gateway, protocol, dropping=dropping)
            at_full[protocol] = {each: lab.gateway.counters(each) for each in PROTOCOLS}
        echoed = {protocol: filling.echo(everyone) for protocol, filling in fillings.items()}

        for protocol in PROTOCOLS:
            _check_filled(protocol, filled[protocol], promises[protocol], lab.behaviour, report)
            report.check(
                f"{protocol.upper()}: each of them carries data when all three are full",
                expected=len(filled[protocol].established),
                observed=len(echoed[protocol]),
                source="RFC 6888 REQ-11D: existing mappings are kept",
            )
        _check_numbers(filled, lab.behaviour, report)
        _check_counters(filled, at_full, promises, report)

        _, leaked = lab.leaks()
        counts = outcomes([], shared=set(), echoed=set(), leaked=set())
        for protocol in PROTOCOLS:
            counts += outcomes(
                filled[protocol].attempts, shared=lab.shared(), echoed=echoed[protocol], leaked=leaked
            )
        report.outcomes(counts)
        report.series(
            protocols=[
                {
                    "protocol": protocol,
                    "attempts": len(each.attempts),
                    "established": len(each.established),
                    "first_to_fail": each.first_failure.number if each.first_failure else None,
                }
                for protocol, each in filled.items()
            ]
        )
        report.tell(
            "protocols",
            filled=filled,
            echoed=echoed,
            settings=settings,
            attempts=len(everyone),
            identifiers=lab.behaviour.icmp_identifiers.value,
        )


def _keeps(protocol: str, behaviour: Behaviour) -> bool:
    """Whether this protocol's numbers pass as they are, so that none of them runs out."""
    return protocol == "icmp" and behaviour.icmp_identifiers.value == "kept"


def _check_filled(protocol: str, filled: Filled, promise: Promise, behaviour: Behaviour, report: Report) -> None:
    """Check that a protocol had all ports to itself, and how it refused the rest."""
    attempts, established = len(filled.attempts), len(filled.established)
    if _keeps(protocol, behaviour):
        report.check(
            f"{protocol.upper()}: all {attempts} are established: identifiers are not taken from the ports",
            expected=attempts,
            observed=established,
            source=str(behaviour.icmp_identifiers),
        )
        return
    least, most = promise.established(attempts)
    report.check_between(
        f"{protocol.upper()}: exactly {most} are established, whatever the other protocols have"
        if least == most
        else f"{protocol.upper()}: nearly {most} are established, whatever the other protocols have",
        least=least,
        most=most,
        observed=established,
        source="RFC 4787 REQ-3, RFC 5382 REQ-7, RFC 5508 REQ-1: each has numbers of its own",
    )
    check_refused(filled.attempts, promise, report, of=f"{protocol.upper()}: ")


def _check_numbers(filled: dict[str, Filled], behaviour: Behaviour, report: Report) -> None:
    """Check by the servers' eyes that the protocols used the same numbers at the same time."""
    numbers = {
        protocol: {attempt.seen[1] for attempt in each.established}
        for protocol, each in filled.items()
        if not _keeps(protocol, behaviour)
    }
    fewest = min(len(each) for each in numbers.values())
    in_common = len(set.intersection(*numbers.values()))
    report.check(
        f"{', '.join(protocol.upper() for protocol in numbers)} have the same numbers in use at once",
        expected=True,
        # Nearly all of the range are in use by each, so most of them by all.
        observed=in_common > 0 and in_common >= fewest // 2,
        source="RFC 4787 REQ-3: a port is one of a protocol",
    )


def _check_counters(
    filled: dict[str, Filled], at_full: dict[str, Counters], promises: dict[str, Promise], report: Report
) -> None:
    """Ask the second witness, after each protocol in turn: it counts for that one, and not for those to come."""
    for place, protocol in enumerate(PROTOCOLS):
        done = PROTOCOLS[: place + 1]
        report.check(
            f"the gateway agrees, after {protocol.upper()}: so many ports of each protocol are allocated",
            expected=[len(filled[each].established) if each in done else 0 for each in PROTOCOLS],
            observed=[at_full[protocol][each]["ports_allocated"] for each in PROTOCOLS],
            source="RFC 8512 ports-allocated",
        )
        refused = packets_refused(filled[protocol].attempts, promises[protocol])
        before = at_full[PROTOCOLS[place - 1]][protocol] if place else {}
        report.check(
            f"the gateway agrees: it dropped every packet of the {protocol.upper()} attempts that were refused",
            expected=True,
            observed=dropped(at_full[protocol][protocol]) - dropped(before) >= refused,
            source="RFC 8512 dropped-port-packets and its like",
        )
    report.counters(at_full[PROTOCOLS[-1]][PROTOCOLS[0]])
