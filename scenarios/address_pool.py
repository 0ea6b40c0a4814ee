"""Several external addresses: how many connections that makes, and what one heavy subscriber gets of them.

Set-up        a NAT with `external_addresses` addresses, and `ports` ports at each; one server, one port
Action        the first client alone asks for a quarter more connections than there are ports at all addresses
              together; then the others come, each asking for a quarter more than there are ports at one; use all
Expectation   alone, with paired pooling, it gets the ports of one address, while all others are free; else it
              gets those of all. In the end every address is full: k addresses, k times the ports
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

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
from testbed.traffic.wire import Endpoint
from topologies.gateways.behaviour import Behaviour

TOO_MANY = 1.25
"""How much more is asked for than there is."""
HEAVY = 0
"""The place of the heavy subscriber among the clients."""


class PoolParameters(PatientParameters):
    """The size of the experiment."""

    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class AddressPool(Scenario):
    """Do more addresses make more connections, and for whom?"""

    name = "address-pool"
    claim = "more addresses, more ports"
    Parameters: ClassVar[type[Parameters]] = PoolParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 16,
        "external_addresses": 4,
        "port_set_size": 4,
        "hold_down_timeout": 0,
    }

    @classmethod
    def complete(cls, parameters: PoolParameters, settings: Settings) -> tuple[PoolParameters, dict[str, Any]]:
        """Fill in idle timers that are longer than everything."""
        addresses = len(settings.external_addresses)
        if addresses < 2:
            raise ConfigurationError(
                "setting external_addresses: address-pool compares one address with several, so take "
                "external_addresses=2 or more"
            )
        if parameters.clients < addresses:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with {addresses} external addresses: "
                "where each client keeps to one address, fewer clients cannot use them all; "
                f"take clients={addresses} or more"
            )
        alone, each = _wanted(settings)
        if alone > MOST_PER_CLIENT:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with {addresses} external addresses: one client "
                f"has {MOST_PER_CLIENT:,} source ports, and would need {alone:,}; take fewer of either"
            )
        attempts = alone + (parameters.clients - 1) * each
        idle = outlasting(attempts, settings, besides=20 + 3 * parameters.patience)
        return parameters, {"udp_timeout": idle}

    @classmethod
    def check(cls, parameters: PoolParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse what lets anything but the ports run short, be it for one client."""
        require_ports_run_short(
            cls.name,
            settings,
            protocol=parameters.protocol,
            clients=1,
            connections=settings.ports * len(settings.external_addresses),
        )
        if settings.ports > (found := behaviour.finds_every_port_of.value):
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with address-pool and this gateway: it finds the "
                f"last free port among {found} or fewer only, and here every port counts; "
                f"take ports={found} or fewer"
            )

    @classmethod
    def open_sockets(cls, parameters: PoolParameters, settings: Settings) -> int:
        """Every attempt is a socket."""
        alone, each = _wanted(settings)
        return alone + (parameters.clients - 1) * each

    def run(self, lab: Lab, parameters: PoolParameters, settings: Settings, report: Report) -> None:
        """Let one client take what it can, then all the others; use everything."""
        alone, each = _wanted(settings)
        first = range(1, alone + 1)
        then = range(first.stop, first.stop + (parameters.clients - 1) * each)
        filling = Filling(lab, report, protocol=parameters.protocol, attempts=then.stop, held=then.stop)
        others = [place for place in range(parameters.clients) if place != HEAVY]
        promise = Promise.of(lab.behaviour, settings, protocol=parameters.protocol, clients=parameters.clients)

        heavy = filling.fill("one alone", first, patience=parameters.patience, in_order=1, clients=[HEAVY])
        refused = packets_refused(heavy.attempts, promise)
        when_alone = settled(lab.gateway, parameters.protocol, dropping=refused)
        rest = filling.fill("the others", then, patience=parameters.patience, in_order=1, clients=others)
        everyone = heavy + rest
        refused = packets_refused(everyone.attempts, promise)
        at_full = settled(lab.gateway, parameters.protocol, dropping=refused)
        echoed = filling.echo(range(1, then.stop))

        _check_heavy(heavy, settings, lab.behaviour, report)
        _check_all(everyone, echoed, settings, lab.behaviour, report)
        check_refused(everyone.attempts, promise, report)
        _check_counters([(when_alone, heavy), (at_full, everyone)], promise, report)
        _, leaked = lab.leaks()
        counts = outcomes(everyone.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked)
        report.outcomes(counts)
        served = _served(everyone, lab)
        report.series(served=[{"client": name, "established": count} for name, count in served.items()])
        report.tell(
            "address_pool",
            settings=settings,
            addresses=len(settings.external_addresses),
            pooling=lab.behaviour.pooling.value,
            heavy=heavy,
            heavy_name=lab.clients[HEAVY].name,
            heavy_addresses=len(_addresses(heavy)),
            everyone=everyone,
            all_addresses=len(_addresses(everyone)),
            starved=[name for name, count in served.items() if not count],
        )


def keeps_to_one_address(behaviour: Behaviour) -> bool:
    """Whether one client gets no more than one address's ports toward one destination."""
    return behaviour.pooling.value == "paired" or not behaviour.fills_every_address.value


def _wanted(settings: Settings) -> tuple[int, int]:
    """Return how many connections the heavy client asks for, and each of the others."""
    pool = settings.ports * len(settings.external_addresses)
    return math.ceil(pool * TOO_MANY), math.ceil(settings.ports * TOO_MANY)


def _addresses(filled: Filled) -> set[str]:
    return {attempt.seen[0] for attempt in filled.established}


def _served(filled: Filled, lab: Lab) -> dict[str, int]:
    """Return how many connections each client has."""
    names = {
        str(address): client.name for client in lab.clients for address in lab.topology.addresses[client.name]
    }
    served = {client.name: 0 for client in lab.clients}
    for attempt in filled.established:
        served[names[attempt.source[0]]] += 1
    return served


def _check_heavy(heavy: Filled, settings: Settings, behaviour: Behaviour, report: Report) -> None:
    """Check what the pooling leaves to one client that wants everything."""
    pool = len(settings.external_addresses)
    addresses = 1 if keeps_to_one_address(behaviour) else pool
    report.check(
        "alone, one client gets the ports of one address, while the others are free"
        if addresses == 1
        else f"alone, one client gets the ports of all {pool} addresses",
        expected=settings.ports * addresses,
        observed=len(heavy.established),
        source=f"RFC 4787 REQ-2, RFC 7857 section 4; {behaviour.pooling}; {behaviour.fills_every_address}",
    )
    report.check(
        "the server saw it come from as many addresses",
        expected=addresses,
        observed=len(_addresses(heavy)),
        source=f"RFC 4787 REQ-2; {behaviour.pooling}; {behaviour.fills_every_address}",
    )


def _check_all(
    everyone: Filled, echoed: set[int], settings: Settings, behaviour: Behaviour, report: Report
) -> None:
    """Check that every address that clients were given has been used up."""
    pool = len(settings.external_addresses)
    seen = _addresses(everyone)
    if behaviour.fills_every_address.value:
        report.check(
            f"{pool} addresses make {pool} times the ports",
            expected=pool * settings.ports,
            observed=len(everyone.established),
            source="RFC 8512 external-ip-address-pool",
        )
    else:
        report.check(
            "each address that some client was given makes as many ports more",
            expected=len(seen) * settings.ports,
            observed=len(everyone.established),
            source=str(behaviour.fills_every_address),
        )
        report.check(
            "the clients were given more than one address",
            expected=True,
            observed=1 < len(seen) <= pool,
            source=str(behaviour.fills_every_address),
        )
    external: set[Endpoint] = {attempt.seen for attempt in everyone.established}
    allowed = {str(address) for address in settings.external_addresses}
    report.check(
        "the server saw as many distinct external endpoints, all of the pool",
        expected=len(everyone.established),
        observed=sum(address in allowed for address, _ in external),
        source="RFC 4787 REQ-3",
    )
    report.check(
        "every established connection carries data, from the same external endpoint as before",
        expected=len(everyone.established),
        observed=len(echoed),
        source="RFC 6888 REQ-11D: existing mappings are kept",
    )
    if behaviour.pooling.value == "paired":
        given: dict[str, set[str]] = {}
        for attempt in everyone.established:
            given.setdefault(attempt.source[0], set()).add(attempt.seen[0])
        report.check(
            "every client keeps to one address",
            expected=1,
            observed=max((len(addresses) for addresses in given.values()), default=0),
            source=f"RFC 4787 REQ-2, RFC 6888 REQ-2; {behaviour.pooling}",
        )


def _check_counters(moments: list[tuple[dict[str, int | None], Filled]], promise: Promise, report: Report) -> None:
    """Ask the second witness: after the first client, and after all."""
    for (counters, filled), when in zip(moments, ("the one client", "all"), strict=True):
        report.check(
            f"the gateway agrees: so many ports are allocated after {when}",
            expected=len(filled.established),
            observed=counters["ports_allocated"],
            source="RFC 8512 ports-allocated",
        )
        report.check(
            f"the gateway agrees: it dropped every packet of those refused, after {when}",
            expected=True,
            observed=dropped(counters) >= packets_refused(filled.attempts, promise),
            source="RFC 8512 dropped-port-packets, dropped-address-packets",
        )
    report.counters(moments[-1][0])
