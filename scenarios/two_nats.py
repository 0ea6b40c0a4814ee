"""Two NATs in a row, a home's and its carrier's: one of them has run out, and a client wants to know which.

Set-up        two homes behind one carrier (topology carrier); each home's NAT has `home_ports` ports, and the
              carrier's fewer than both homes together
Action        fill the NAT of one home, and ask from the other; then fill the carrier's from there
Expectation   while only a home's NAT is full, its neighbours get through; when the carrier's is, nobody does,
              whatever ports his home has left. Where a NAT tells of its refusal, the error's sender is the one
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from controller.wiring import Side
from scenarios.shared.filling import ECHO_PATIENCE_S, EVERY_NUMBER, WINDOW
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import Promise, check_refused, refuse_eviction
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.traffic.drive import Clients
from testbed.traffic.records import Attempt, Opening

HOMES = ("home-a", "home-b")
CARRIER = "carrier"


class TwoNatsParameters(PatientParameters):
    """The size of the experiment."""

    home_ports: int = Field(16, strict=True, ge=4, le=64_512, description="ports of each home's NAT")
    beyond: int = Field(4, strict=True, ge=1, description="connections to try beyond what fits")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class TwoNats(Scenario):
    """Which of two NATs in a row ran out of ports, and how can a client tell?"""

    name = "two-nats"
    claim = "what happens is implementation dependent"
    topology = "carrier"
    gateways = (CARRIER, *HOMES)
    Parameters: ClassVar[type[Parameters]] = TwoNatsParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 22,
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
        "port_set_size": 4,
    }

    @classmethod
    def complete(
        cls, parameters: TwoNatsParameters, settings: Settings
    ) -> tuple[TwoNatsParameters, dict[str, Any]]:
        """See that each NAT can be the one that runs out, and that nothing ends meanwhile."""
        home, carrier = parameters.home_ports, settings.ports * len(settings.external_addresses)
        refuse_eviction(cls.name, settings)
        if not home + 1 < carrier < 2 * home - parameters.beyond:
            raise ConfigurationError(
                f"parameter home_ports={home} is not possible with ports={settings.ports} and "
                f"beyond={parameters.beyond}: the carrier must have more ports than one home and fewer than both, "
                f"less what is tried beyond; take ports from {home + 2} to {2 * home - parameters.beyond - 1}"
            )
        return parameters, {"udp_timeout": round((12 + 3 * parameters.patience) / settings.time_scale) or 1}

    @classmethod
    def of_each_gateway(cls, parameters: TwoNatsParameters) -> dict[str, dict[str, Any]]:
        """Give the homes fewer ports than the carrier."""
        return {name: {"ports": parameters.home_ports} for name in HOMES}

    def run(self, lab: Lab, parameters: TwoNatsParameters, settings: Settings, report: Report) -> None:
        """Let a home's NAT run out, then the carrier's."""
        promise = Promise.of(lab.behaviour, settings, protocol=parameters.protocol, clients=parameters.clients)
        street = Street(lab, parameters, report)

        first = street.open("fill home-a", "home-a", parameters.home_ports + parameters.beyond)
        _check_filled("home-a", first, parameters.home_ports, promise, report)
        neighbour = street.open("ask home-b", "home-b", 1)
        _check_free(street.free_ports(), full=("home-a",), report=report)
        report.check(
            "while home-a is refused, its neighbour in home-b gets through: it is the home's NAT that is full",
            expected="established",
            observed=neighbour[0].outcome,
            source="RFC 6888 section 2: each home is one subscriber",
        )

        left = promise.capacity - parameters.home_ports - 1
        second = street.open("fill carrier", "home-b", left + parameters.beyond)
        _check_filled("the carrier", second, left, promise, report)
        _check_free(street.free_ports(), full=(CARRIER, "home-a"), report=report)

        senders = {"home-a": _senders(first), CARRIER: _senders(second)}
        if promise.outcome == "icmp":
            _check_senders(senders, lab, report)
        everyone = [*first, *neighbour, *second]
        echoed = street.echo()
        report.check(
            "whatever was established still carries data",
            expected=sum(attempt.outcome == "established" for attempt in everyone),
            observed=len(echoed),
            source="RFC 6888 REQ-11D: existing mappings are kept",
        )
        _, leaked = lab.leaks()
        report.outcomes(outcomes(everyone, shared=lab.shared(), echoed=echoed, leaked=leaked))
        report.counters(lab.gateways[CARRIER].counters(parameters.protocol))
        report.tell(
            "two_nats",
            parameters=parameters,
            settings=settings,
            promise=promise,
            first=first,
            second=second,
            senders=senders,
        )


class Street:
    """The clients of both homes, and the NATs that they are behind."""

    def __init__(self, lab: Lab, parameters: TwoNatsParameters, report: Report) -> None:
        self._lab = lab
        self._parameters = parameters
        self._report = report
        most = 4 * parameters.home_ports
        self._target = lab.serve(parameters.protocol, held=most).targets[0]
        self._clients: Clients = lab.drive(parameters.protocol, attempts=most)
        self._count = 0

    def open(self, phase: str, home: str, count: int) -> list[Attempt]:
        """Open connections from the clients of one home in turn."""
        # Clients live in home-a and home-b by turns.
        dwellers = range(HOMES.index(home), len(self._lab.clients), len(HOMES))
        openings = [
            Opening(self._count + number, dwellers[number % len(dwellers)], self._target)
            for number in range(1, count + 1)
        ]
        self._count += count
        with self._report.phase(phase):
            return self._clients.open(
                openings,
                patience=self._parameters.patience,
                first_window=1,
                window=WINDOW,
                progress=lambda done: self._report.progress(done, count),
            )

    def echo(self) -> set[int]:
        """Exchange data on everything that is open; return who was answered."""
        with self._report.phase("echo"):
            return self._clients.echo(
                EVERY_NUMBER, patience=ECHO_PATIENCE_S, window=WINDOW, progress=lambda done: None
            )

    def free_ports(self) -> dict[str, int]:
        """Return how many ports each NAT has left, by its own account, if it has one."""
        counted = {
            name: gateway.counters(self._parameters.protocol)["ports_free"]
            for name, gateway in self._lab.gateways.items()
        }
        return {name: free for name, free in counted.items() if free is not None}


def _check_filled(who: str, attempts: list[Attempt], expected: int, promise: Promise, report: Report) -> None:
    report.check(
        f"{who}: exactly {expected} of {len(attempts)} attempts are established",
        expected=expected,
        observed=sum(attempt.outcome == "established" for attempt in attempts),
        source="RFC 4787 REQ-3, RFC 5382 REQ-7",
    )
    check_refused(attempts, promise, report, of=f"{who}: ", refused=len(attempts) - expected)


def _check_free(free: dict[str, int], *, full: Collection[str], report: Report) -> None:
    if not free:
        return
    report.check(
        f"the gateways agree: no port is left at {' and '.join(full)}, and some elsewhere",
        expected={name: name not in full for name in free},
        observed={name: ports > 0 for name, ports in free.items()},
        source="RFC 8512 ports-free",
    )


def _check_senders(senders: dict[str, list[str]], lab: Lab, report: Report) -> None:
    """Check that the client can read who refused it: each NAT speaks for itself."""
    for name, seen in senders.items():
        inside = next(each for each in lab.topology.wiring[name] if each.side is Side.INSIDE)
        report.check(
            f"the errors while {name} is full come from its own address",
            expected=[str(inside.address.ip)],
            observed=seen,
            source="RFC 5508 REQ-8; RFC 1812 section 4.3.2.4",
        )


def _senders(attempts: list[Attempt]) -> list[str]:
    """Return who sent the ICMP errors that attempts ended by (`type 3 code 13 from 10.1.255.254`)."""
    return sorted({attempt.detail.rpartition(" ")[2] for attempt in attempts if attempt.outcome == "icmp"})
