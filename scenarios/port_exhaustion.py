"""The main experiment: open more connections to one service than the NAT has ports.

Set-up        clients behind the gateway; one server, one port; a pool of `ports` external ports
Action        open `attempts` connections and keep them; then use each; close all; and fill the pool again
Expectation   the first `ports` work and go on working, the others time out; and nothing is lost by the close
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import jinja2
from pydantic import Field

from controller.configuration import FIRST_PORT, PORT_REST_S, ConfigurationError, Settings
from scenarios.base import Parameters, Scenario
from scenarios.evidence import outcomes, shared
from scenarios.filling import WINDOW, Filled, Filling
from scenarios.lab import Lab
from scenarios.report import Report

MOST_PER_CLIENT = 64_512
"""What one client can open to one server and port: its own ports from 1024 upward."""
RELEASE_SLACK_S = 5.0
"""What the check of the release grants a busy machine, beyond the timers."""


class ExhaustionParameters(Parameters):
    """The size of the experiment."""

    attempts: int | None = Field(
        None, strict=True, ge=1, description="connections to open; by default ports + 25 %"
    )
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")
    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds after which an attempt is given up"
    )
    close_rate: float = Field(1000.0, strict=True, gt=0, le=100_000, description="connections to close a second")


class PortExhaustion(Scenario):
    """Can a NAT run out of ports toward one service, and what happens then?"""

    name = "port-exhaustion"
    claim = "a NAT has about 65,000 ports to one service on one server; then it is full"
    Parameters: ClassVar[type[Parameters]] = ExhaustionParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 256,
        # No experiment waits for the RFCs' times; what is measured is that the ports come back.
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
    }

    @classmethod
    def complete(
        cls, parameters: ExhaustionParameters, settings: Settings
    ) -> tuple[ExhaustionParameters, dict[str, Any]]:
        """Fill in the number of attempts, and idle timers that are longer than the fill and the echoes."""
        addresses = len(settings.external_addresses)
        if parameters.clients % addresses:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with external_addresses={addresses}: "
                "each client keeps to one address, so take a multiple of their number"
            )
        capacity = settings.ports * addresses
        attempts = parameters.attempts or math.ceil(capacity * 1.25)
        if attempts > parameters.clients * MOST_PER_CLIENT:
            raise ConfigurationError(
                f"parameter attempts={attempts} is not possible with clients={parameters.clients}: each has "
                f"{MOST_PER_CLIENT:,} ports of its own; take more clients"
            )
        idle = (6 + parameters.patience + math.ceil(attempts / 400)) / settings.time_scale
        return parameters.model_copy(update={"attempts": attempts}), {
            "udp_timeout": idle,
            "icmp_timeout": idle,
        }

    @classmethod
    def open_sockets(cls, parameters: ExhaustionParameters, settings: Settings) -> int:
        """Every attempt is a socket."""
        assert parameters.attempts is not None
        return parameters.attempts

    def run(self, lab: Lab, parameters: ExhaustionParameters, settings: Settings, report: Report) -> None:
        """Fill, use, drain, fill again."""
        assert parameters.attempts is not None
        attempts, capacity = parameters.attempts, settings.ports * len(settings.external_addresses)
        expected = min(attempts, capacity)
        filling = Filling(lab, report, protocol=parameters.protocol, attempts=attempts, held=expected)

        # While all are answered, order matters: one at a time for each 256 ports.
        in_order = min(WINDOW, max(1, settings.ports // 256))
        first = filling.fill("fill", attempts, patience=parameters.patience, in_order=in_order)
        at_full = lab.gateway.counters(parameters.protocol)
        _check_first_fill(first, expected, settings, filling, report)

        echoed = filling.echo(first)
        report.check(
            "every established connection still carries data, from the same external endpoint",
            expected=len(first.established),
            observed=len(echoed),
            source="RFC 6888 REQ-11D, RFC 4787 REQ-5: existing mappings are kept",
        )

        within = _release_time(parameters, settings) + RELEASE_SLACK_S
        back_after = filling.drain(first, close_rate=parameters.close_rate, capacity=capacity, within=within)
        report.check_at_most(
            "after all have closed, the pool is whole again within the timers (seconds)",
            limit=within,
            observed=None if back_after is None else round(back_after, 3),
            source="RFC 5382 REQ-5, RFC 7857 section 2.1; the scenario's own timers",
        )

        refill = min(attempts, capacity + max(8, capacity // 64))
        second = filling.fill("fill again", refill, patience=parameters.patience, in_order=max(16, in_order))
        report.check(
            "a second fill reaches the same number, and each carries data: no port was lost",
            expected=min(refill, capacity),
            observed=len(filling.echo(second)),
            source="RFC 6888 REQ-13: the pool is used in full",
        )

        counts = _check_evidence(first, echoed, filling, lab, report)
        _check_counters(at_full, first, second, lab.gateway.counters(parameters.protocol), report)
        report.story(
            _tell(
                parameters=parameters,
                settings=settings,
                capacity=capacity,
                first=first,
                second=second,
                counts=counts,
                echoed=len(echoed),
                back_after=back_after,
            )
        )


def _check_first_fill(first: Filled, expected: int, settings: Settings, filling: Filling, report: Report) -> None:
    seen = {sighting.nonce: (sighting.address, sighting.port) for sighting in filling.sightings()}
    external = {seen[attempt.nonce] for attempt in first.established if attempt.nonce in seen}
    pool = {str(address) for address in settings.external_addresses}
    ports = range(FIRST_PORT, FIRST_PORT + settings.ports)
    report.check(
        f"exactly {expected} attempts are established",
        expected=expected,
        observed=len(first.established),
        source="RFC 4787 REQ-3, RFC 5382 REQ-7: no port is shared toward one destination",
    )
    report.check(
        "all the others time out: nothing tells the client",
        expected=len(first.attempts) - expected,
        observed=sum(attempt.outcome == "timeout" for attempt in first.attempts),
        source="RFC 6888 REQ-11A; on_exhaustion=drop",
    )
    report.check(
        "the server saw as many distinct external endpoints",
        expected=expected,
        observed=len(external),
        source="RFC 4787 REQ-3",
    )
    report.check(
        "all of them belong to the pool",
        expected=0,
        observed=sum(address not in pool or port not in ports for address, port in external),
        source="RFC 8512 port-set-restrict",
    )


def _check_evidence(first: Filled, echoed: set[int], filling: Filling, lab: Lab, report: Report) -> dict[str, int]:
    """Check what must never happen in any run; return the attempts of the first fill by outcome."""
    leaked_frames, leaked = lab.leaks()
    sharing = shared(filling.sightings())
    counts = outcomes(first.attempts, shared=sharing, echoed=echoed, leaked=leaked)
    report.outcomes(counts)
    report.check(
        "no packet left untranslated",
        expected=0,
        observed=leaked_frames,
        source="RFC 6888 REQ-11A; counted by the kernels of the outside hosts",
    )
    report.check(
        "no two clients ever shared an external endpoint",
        expected=0,
        observed=len(sharing),
        source="RFC 4787 REQ-3, RFC 5382 REQ-7",
    )
    return counts


def _check_counters(
    at_full: dict[str, int | None],
    first: Filled,
    second: Filled,
    counters: dict[str, int | None],
    report: Report,
) -> None:
    """Ask the second witness: the gateway's counters must agree with what the hosts saw."""
    report.counters(counters)
    established = len(first.established) + len(second.established)
    report.check(
        "the gateway agrees: ports allocated when full",
        expected=len(first.established),
        observed=at_full["ports_allocated"],
        source="RFC 8512 ports-allocated",
    )
    report.check(
        "the gateway agrees: mappings made in both fills",
        expected=established,
        observed=counters["port_mapping_creations"],
        source="RFC 7659 natv2ProtocolPortMapCreations",
    )
    refused = len(first.attempts) - len(first.established)
    dropped = at_full["dropped_port_packets"]
    report.check(
        "the gateway agrees: it dropped packets of every refused attempt, for want of a port",
        expected=True,
        observed=dropped is not None and (dropped >= refused if refused else dropped == 0),
        source="RFC 8512 dropped-port-packets",
    )
    report.check_at_most(
        "few packets of known mappings needed the controller: the rules are there",
        limit=16 + established // 50,
        observed=counters["packet_ins_known_mappings"],
        source="lastport",
    )


def _release_time(parameters: ExhaustionParameters, settings: Settings) -> float:
    """How long after the last close a port may stay away, in seconds."""
    # An idle UDP mapping is noticed at an examination: a quarter of its timeout later, or two if one is late.
    is_tcp = parameters.protocol == "tcp"
    lifetime = settings.tcp_trans_close_timeout if is_tcp else settings.udp_timeout * 1.5
    return lifetime * settings.time_scale + max(settings.hold_down_timeout * settings.time_scale, PORT_REST_S)


def _tell(**facts: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scenarios", "stories"), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("port_exhaustion.j2").render(facts).strip()
