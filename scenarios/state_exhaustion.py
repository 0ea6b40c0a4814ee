"""The table of sessions is full while ports are left: what ran out, and what becomes of the next connection.

Set-up        a NAT whose table holds fewer sessions (`limit_sessions`) than it has ports; or, on netfilter with
              `--set limit_sessions=null`, Linux's own table of connections: in a namespace of its own, and as
              large as this machine has it (`nf_conntrack_max`, which is read and never changed)
Action        open more connections than the table holds, keep them, and use each; Linux's own table is filled
              with datagrams that nobody answers, between connections before and connections after
Expectation   new connections are refused as declared, ports are left over, and the counters say which of the
              two ran out. Linux makes room instead: entries that are not assured go, and no others. Over TCP
              the handshake assures one
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import MOST_PORTS, ConfigurationError, Settings
from scenarios.shared.filling import WINDOW, Filling, outlasting
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import (
    DROPPED,
    Promise,
    check_refused,
    packets_refused,
    refuse_eviction,
    room,
    settled,
)
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.traffic.flood import Silence, flood, targets_needed
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.netfilter import facts

UNLIMITED_ATTEMPTS = 64
BEYOND = 0.1
"""By how much more than the kernel's table holds, it is filled."""
MOST_ENTRIES = 1_048_576
"""A larger table of the kernel's is not filled: at some 400 bytes each its entries would take more than 400 MB."""
TRIMMED = 0.9
"""Linux's garbage collector, when it comes by, trims a table that is full to 95 %, of such entries as may go."""
SILENT_PORT = 5000
LONGER_THAN_ANY_FLOOD_S = 3600
"""For which datagrams' entries stay: the table is as large as the machine has it, and must be full at one time."""


class StateParameters(PatientParameters):
    """The size of the experiment."""

    attempts: int | None = Field(
        None,
        strict=True,
        ge=1,
        description="connections to open; by default what the table holds + 25 %; "
        f"{UNLIMITED_ATTEMPTS} with limit_sessions=null, which on netfilter fills Linux's own table",
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")


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
        if settings.limit_sessions is None:
            longest = math.ceil(LONGER_THAN_ANY_FLOOD_S / settings.time_scale)
            attempts = parameters.attempts or UNLIMITED_ATTEMPTS
            return parameters.model_copy(update={"attempts": attempts}), {
                "ports": MOST_PORTS,
                "udp_timeout": longest,
            }
        fits = room(settings, parameters.protocol, parameters.clients)
        if fits != settings.limit_sessions:
            raise ConfigurationError(
                f"setting limit_sessions={settings.limit_sessions} would not be what runs short here: only "
                f"{fits:,} connections fit; take a limit_sessions below {fits:,}, or more of that"
            )
        refuse_eviction(cls.name, settings)
        attempts = parameters.attempts or math.ceil(fits * 1.25)
        idle = outlasting(attempts, settings, besides=8 + 2 * parameters.patience)
        return parameters.model_copy(update={"attempts": attempts}), {
            "udp_timeout": idle,
            "icmp_timeout": idle,
        }

    @classmethod
    def check(cls, parameters: StateParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse a table without an end, or too far away."""
        if settings.limit_sessions is None and behaviour.state_exhausted.value.evicts != "unassured":
            raise ConfigurationError(
                "setting limit_sessions=null is not possible with state-exhaustion on this gateway, whose table "
                "has no end then; take a number below that of the ports"
            )
        if settings.limit_sessions is None and parameters.protocol != "tcp":
            raise ConfigurationError(
                f"parameter protocol={parameters.protocol} is not possible with state-exhaustion and "
                "limit_sessions=null: only over TCP does an answer assure an entry of its place; take protocol=tcp"
            )
        if settings.limit_sessions is None and (size := facts.table_size()) > MOST_ENTRIES:
            raise ConfigurationError(
                "setting limit_sessions=null is not possible with state-exhaustion on this machine, whose table "
                f"holds {size:,} connections (net.netfilter.nf_conntrack_max), and more than {MOST_ENTRIES:,} are "
                "not filled; lower that, or take a limit_sessions below the number of ports"
            )

    def run(self, lab: Lab, parameters: StateParameters, settings: Settings, report: Report) -> None:
        """Fill the table, and look what is left of the ports."""
        if settings.limit_sessions is None:
            _fill_the_kernels(lab, parameters, report)
        else:
            _fill(lab, parameters, settings, report)


def _fill(lab: Lab, parameters: StateParameters, settings: Settings, report: Report) -> None:
    assert parameters.attempts is not None
    protocol, attempts = parameters.protocol, parameters.attempts
    promise = Promise.of(lab.behaviour, settings, protocol=protocol, clients=parameters.clients)
    kept = min(attempts, promise.capacity)
    filling = Filling(lab, report, protocol=protocol, attempts=attempts, held=attempts)
    everyone = range(1, attempts + 1)
    filled = filling.fill("fill", everyone, patience=parameters.patience, in_order=WINDOW)
    refused = packets_refused(filled.attempts, promise)
    at_full = settled(lab.gateway, protocol, dropping=refused)
    echoed = filling.echo(everyone)

    report.check(
        f"exactly {kept} of {attempts} are established: as many as the table holds",
        expected=kept,
        observed=len(filled.established),
        source="RFC 8158 maxSessionEntries; limit_sessions",
    )
    check_refused(filled.attempts, promise, report, refused=attempts - kept)
    report.check(
        "every session in the table still carries data",
        expected=kept,
        observed=len(echoed),
        source="RFC 6888 REQ-11D: existing mappings are kept",
    )
    _check_counters(at_full, refused=refused, kept=kept, report=report)
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


def _fill_the_kernels(lab: Lab, parameters: StateParameters, report: Report) -> None:
    """Fill Linux's own table beyond its end, and see which entries that costs."""
    assert parameters.attempts is not None
    protocol, declared = parameters.protocol, lab.behaviour.state_exhausted
    size = int(lab.gateway.environment()["nf_conntrack_max"])
    flows = math.ceil(size * (1 + BEYOND))
    half = parameters.attempts // 2
    before, after = range(1, half + 1), range(half + 1, parameters.attempts + 1)
    filling = Filling(lab, report, protocol=protocol, attempts=parameters.attempts, held=parameters.attempts)

    filled = filling.fill("fill", before, patience=parameters.patience, in_order=WINDOW)
    server = lab.servers[1]
    silence = Silence(
        server.netns, str(lab.topology.addresses[server.name][0]), SILENT_PORT, targets_needed(flows)
    )
    with report.phase("flood"):
        flood(
            [host.netns for host in lab.clients],
            silence.targets,
            flows,
            progress=lambda done: report.progress(done, flows),
        )
    filled += filling.fill("fill", after, patience=parameters.patience, in_order=WINDOW)
    echoed = filling.echo(range(1, parameters.attempts + 1))
    counters = lab.gateway.counters(protocol)

    report.check(
        f"all {parameters.attempts} connections are established, before and after the table was full",
        expected=parameters.attempts,
        observed=len(filled.established),
        source=str(declared),
    )
    report.check(
        "and all of them carry data: no entry that was assured had to go",
        expected=parameters.attempts,
        observed=len(echoed),
        source=str(declared),
    )
    report.check_between(
        f"the table holds at most {size:,} entries, and was filled",
        least=math.floor(size * TRIMMED),
        most=size,
        observed=counters["total_sessions"] or 0,
        source="Linux, Documentation/networking/nf_conntrack-sysctl.rst: nf_conntrack_max",
    )
    report.check(
        "the gateway agrees: entries that were not assured were thrown out",
        expected=True,
        observed=(counters["evicted_mappings"] or 0) > 0,
        source=str(declared),
    )
    _, leaked = lab.leaks()
    counts = outcomes(filled.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked)
    report.outcomes(counts)
    report.counters(counters)
    report.tell(
        "kernel_table",
        parameters=parameters,
        size=size,
        flows=flows,
        half=half,
        counters=counters,
        echoed=len(echoed),
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
            "the gateway agrees: it dropped every packet of the refused attempts for want of a session, "
            "and none for want of a port",
            expected={"dropped_state_limit_packets": True},
            observed={
                name: count >= refused if name == "dropped_state_limit_packets" else count
                for name in DROPPED
                if (count := counters.get(name))
            },
            source="RFC 8512 dropped-port-packets; dropped-state-limit-packets is lastport's",
        )
