"""The table of sessions is full while ports are left: what ran out, and what becomes of the next connection.

Set-up        a NAT whose table holds fewer sessions (`limit_sessions`) than it has ports; or, with `table=kernel`,
              the whole connection table of a Linux machine, as large as that is
Action        open more connections than the table holds, keep them, and use each. The kernel's table is first
              filled with datagrams that nobody answers
Expectation   new connections are refused as declared, ports are left over, and the counters say which of the two
              ran out. The kernel makes room first: it throws out entries that were never answered, and no others
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.configuration import ConfigurationError, Settings
from scenarios.base import Parameters, Scenario
from scenarios.evidence import outcomes
from scenarios.filling import WINDOW, Filling
from scenarios.lab import Lab
from scenarios.refusals import DROPPED, Promise, refuse_eviction, room
from scenarios.report import Report


class StateParameters(Parameters):
    """The size of the experiment."""

    attempts: int | None = Field(
        None, strict=True, ge=1, description="connections to open; by default what the table holds + 25 %"
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")
    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds after which an attempt is given up"
    )


class StateExhaustion(Scenario):
    """Which runs out first, the ports or the table of sessions, and how can one tell?"""

    name = "state-exhaustion"
    claim = "the connection-state table fills long before the ports do"
    Parameters: ClassVar[type[Parameters]] = StateParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 256,
        "limit_sessions": 64,
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
        "port_set_size": 32,
    }

    @classmethod
    def complete(cls, parameters: StateParameters, settings: Settings) -> tuple[StateParameters, dict[str, Any]]:
        """Let nothing but the table run short, and no session end meanwhile."""
        fits = room(settings, parameters.protocol, parameters.clients)
        if fits != settings.limit_sessions:
            raise ConfigurationError(
                f"setting limit_sessions={settings.limit_sessions} would not be what runs short here: only "
                f"{fits:,} connections fit; take a limit_sessions below {fits:,}, or more of that"
            )
        refuse_eviction(cls.name, settings)
        attempts = parameters.attempts or math.ceil(fits * 1.25)
        idle = (8 + 2 * parameters.patience + attempts / 400) / settings.time_scale
        return parameters.model_copy(update={"attempts": attempts}), {
            "udp_timeout": math.ceil(idle),
            "icmp_timeout": math.ceil(idle),
        }

    def run(self, lab: Lab, parameters: StateParameters, settings: Settings, report: Report) -> None:
        """Fill the table, and look what is left of the ports."""
        assert parameters.attempts is not None
        protocol, attempts = parameters.protocol, parameters.attempts
        promise = Promise.of(lab.behaviour, settings, protocol=protocol, clients=parameters.clients)
        kept = min(attempts, promise.capacity)
        filling = Filling(lab, report, protocol=protocol, attempts=attempts, held=attempts)
        everyone = range(1, attempts + 1)
        filled = filling.fill("fill", everyone, patience=parameters.patience, in_order=WINDOW)
        at_full = lab.gateway.counters(protocol)
        echoed = filling.echo(everyone)

        report.check(
            f"exactly {kept} of {attempts} are established: as many as the table holds",
            expected=kept,
            observed=len(filled.established),
            source="RFC 8158 maxSessionEntries; limit_sessions",
        )
        if promise.outcome is not None:
            report.check(
                f"all the others end by {promise.outcome}",
                expected=attempts - kept,
                observed=sum(attempt.outcome == promise.outcome for attempt in filled.attempts),
                source=promise.source,
            )
        report.check(
            "every session in the table still carries data",
            expected=kept,
            observed=len(echoed),
            source="RFC 6888 REQ-11D: existing mappings are kept",
        )
        _check_counters(at_full, refused=attempts - len(filled.established), kept=kept, report=report)
        _, leaked = lab.leaks()
        counts = outcomes(filled.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked)
        report.outcomes(counts)
        report.counters(at_full)
        report.tell(
            "state_exhaustion",
            parameters=parameters,
            settings=settings,
            filled=filled,
            at_full=at_full,
            counts=counts,
            ports=settings.ports * len(settings.external_addresses),
        )


def _check_counters(counters: dict[str, int | None], *, refused: int, kept: int, report: Report) -> None:
    """Ask the second witness which of the two ran out."""
    if counters["total_sessions"] is not None:
        report.check(
            "the gateway agrees: sessions in its table",
            expected=kept,
            observed=counters["total_sessions"],
            source="RFC 8158 maxSessionEntries",
        )
    if counters["ports_free"] is not None:
        report.check(
            "the gateway agrees: there were ports left",
            expected=True,
            observed=counters["ports_free"] > 0,
            source="RFC 8512 ports-free",
        )
    if refused and counters["dropped_state_limit_packets"] is not None:
        report.check(
            "the gateway agrees: it dropped packets of every refused attempt for want of a session, "
            "and none for want of a port",
            expected={"dropped_state_limit_packets": True},
            observed={
                name: count >= refused if name == "dropped_state_limit_packets" else count
                for name in DROPPED
                if (count := counters.get(name))
            },
            source="RFC 8512 dropped-port-packets; dropped-state-limit-packets is lastport's",
        )
