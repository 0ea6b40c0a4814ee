"""What does a program hear from its kernel when a NAT has no port left for it, and when?

Set-up        clients that hold every port for TCP, for UDP and for pings
Action        alice connects once more, sends one more datagram, and pings once more: as most programs do, and with
              the error queue switched on (IP_RECVERR); all six wait until their kernel tells them something
Expectation   errno, ICMP type, code and sender, and the time, are those of what the gateway declares. Where it is
              silent, TCP's kernel gives up by itself, exactly when its sysctls say; the others are never told
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.clients import Client, listen
from scenarios.shared.filling import Filling
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.parameters import Parameters, PatientParameters
from testbed.experiment.promise import Promise
from testbed.experiment.report import Report
from testbed.experiment.scenario import Scenario
from testbed.sandbox.linux import network_of
from topologies.gateways.behaviour import Behaviour, Exhaustion

IN_TIME_S = 0.9
"""What a busy machine is granted; where nothing has to be waited for, it takes milliseconds."""
TIMER_LATENESS = 1 / 8
"""A timer of the kernel may ring so much of its time late: the farther away, the coarser (kernel/time/timer.c)."""
FILL_S = 10.0
"""Time for which the ports must be held besides the waiting."""
MOST_PORTS = 1024
"""More would only take longer to fill: what is told does not depend on it."""
SYSCTLS = Path("/proc/sys/net/ipv4")
LINEAR = "tcp_syn_linear_timeouts"
PROTOCOLS = ("tcp", "udp", "icmp")
NAMES = {"tcp": "TCP connect", "udp": "UDP send", "icmp": "ping"}


class SignalParameters(PatientParameters):
    """How long the programs and their kernel wait."""

    tcp_syn_retries: int = Field(
        1,
        strict=True,
        ge=1,
        le=6,
        description="alice's sysctl of that name: 6 is Linux's own, and takes minutes",
    )
    patience: float = Field(
        2.0,
        strict=True,
        ge=1.5,
        le=60,
        description="seconds that programs wait for an answer to UDP and ping",
    )


@dataclass(frozen=True, slots=True)
class GivingUp:
    """When TCP gives up connecting (ETIMEDOUT): after so many seconds, and so many SYNs that it has sent again."""

    seconds: int
    sent_again: int

    @classmethod
    def computed(cls, retries: int, linear: int) -> GivingUp:
        """Compute it from the sysctls tcp_syn_retries and tcp_syn_linear_timeouts, as tcp_write_timeout does.

        The first timeout is a second, and so are `linear` more (Linux 6.5 and later; before, none); then each is
        twice as long as the one before it. It gives up at the first of them that comes when doubling from the
        start would have used up the retries, or when so many SYNs have been sent again.
        """
        enough = (1 << retries + 1) - 1
        elapsed = wait = 1
        sent_again = 0
        while elapsed < enough and sent_again < retries + linear:
            sent_again += 1
            wait *= 1 if sent_again <= linear else 2
            elapsed += wait
        return cls(elapsed, sent_again)


class RefusalSignals(Scenario):
    """What does a program hear from its kernel when a NAT has no port left for it, and after how many seconds?"""

    name = "refusal-signals"
    claim = "the packet is silently dropped / an ICMP error comes back / the client never learns why"
    Parameters: ClassVar[type[Parameters]] = SignalParameters
    settings: ClassVar[dict[str, Any]] = {"ports": 2, "hold_down_timeout": 0}

    @classmethod
    def complete(cls, parameters: SignalParameters, settings: Settings) -> tuple[SignalParameters, dict[str, Any]]:
        """Fill in idle timers that are longer than the longest wait."""
        given_up = GivingUp.computed(parameters.tcp_syn_retries, _linear_timeouts()).seconds
        idle = (given_up * (1 + TIMER_LATENESS) + parameters.patience + FILL_S) / settings.time_scale
        return parameters, {"udp_timeout": round(idle, 3), "icmp_timeout": round(idle, 3)}

    @classmethod
    def check(cls, parameters: SignalParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse where it is not known what is told, or where the ports cannot all be taken."""
        shortage = behaviour.ports_exhausted.value
        found = min(MOST_PORTS, behaviour.finds_every_port_of.value)
        if shortage.outcome is None and shortage.evicts != "lru":
            raise ConfigurationError(
                f"setting on_exhaustion={settings.on_exhaustion} is not possible with refusal-signals: it is not "
                "declared what such a policy tells; take one of the project's own"
            )
        if settings.ports > found:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with refusal-signals and this gateway: "
                f"every port has to be taken first; take at most ports={found}"
            )
        if shortage.evicts == "lru" and settings.ports < 2:
            raise ConfigurationError(
                f"setting ports={settings.ports} is not possible with refusal-signals and "
                "on_exhaustion=evict-lru: two programs ask at once, and one would evict the other; take ports=2"
            )

    def run(self, lab: Lab, parameters: SignalParameters, settings: Settings, report: Report) -> None:
        """Take the ports; ask for more; wait."""
        shortage = lab.behaviour.ports_exhausted.value
        protocols = [each for each in PROTOCOLS if shortage.outcome is None or each in shortage.outcome]
        alice = lab.clients[0]
        with network_of(alice.netns):
            (SYSCTLS / "tcp_syn_retries").write_text(str(parameters.tcp_syn_retries))
            linear = _linear_timeouts()
        given_up = GivingUp.computed(parameters.tcp_syn_retries, linear)

        targets = {each: _take_every_port(lab, each, settings, report) for each in protocols}
        with report.phase("ask for more"):
            programs = [
                Client(alice.netns, protocol, targets[protocol], queue=queue)
                for queue in (False, True)
                for protocol in protocols
            ]
            waited = _wait(
                programs, parameters.patience, given_up.seconds * (1 + TIMER_LATENESS) + IN_TIME_S, report
            )

        sender = str(lab.topology.inside_address(alice.name))
        source = str(lab.behaviour.ports_exhausted)
        for program in programs:
            expected = _promised(shortage, settings.icmp_code, program, sender)
            _check(program, expected, shortage.after, source, report)
            if expected == "ETIMEDOUT":
                _check_given_up(program, given_up, parameters.tcp_syn_retries, linear, report)
        _account(lab, programs, report)
        report.tell(
            "refusal_signals",
            programs=programs,
            names=NAMES,
            waited=waited,
            settings=settings,
            shortage=shortage,
            retries=parameters.tcp_syn_retries,
            linear=linear,
            given_up=given_up,
            by_default=GivingUp.computed(6, linear),
            doubling=GivingUp.computed(6, 0),
        )


def _linear_timeouts() -> int:
    """Read it from the kernel of this network; kernels before 6.5 have none."""
    path = SYSCTLS / LINEAR
    return int(path.read_text()) if path.exists() else 0


def _take_every_port(lab: Lab, protocol: str, settings: Settings, report: Report) -> tuple[str, int]:
    """Let all who share alice's NAT hold everything it has of a protocol; return the service they hold it for."""
    neighbours = lab.behind(lab.topology.behind[lab.clients[0].name])
    promise = Promise.of(lab.behaviour, settings, protocol=protocol, clients=len(neighbours))
    room = promise.capacity
    filling = Filling(lab, report, protocol=protocol, attempts=room, held=room)
    filled = filling.fill(
        f"take every port for {protocol}", range(1, room + 1), patience=5.0, in_order=1, clients=neighbours
    )
    report.check(
        f"every port for {protocol} is taken", expected=room, observed=len(filled.established), source="set-up"
    )
    return filled.attempts[0].target


def _wait(programs: list[Client], patience: float, tcp_patience: float, report: Report) -> float:
    """Wait until each was told something; TCP's kernel is waited for, the others' silence is."""
    started = time.monotonic()
    while waiting := [each for each in programs if each.waits]:
        limit = tcp_patience if any(each.is_stream for each in waiting) else patience
        if (left := started + limit - time.monotonic()) <= 0:
            break
        listen(waiting, min(left, 0.1))
        report.progress(len(programs) - len(waiting), len(programs))
    waited = time.monotonic() - started
    for each in waiting:
        each.close()
    return waited


def _promised(shortage: Exhaustion, icmp_code: int, program: Client, sender: str) -> str:
    """Say what a program is told, by what comes back (ip(7), tcp(7), udp(7), icmp(7))."""
    if shortage.evicts == "lru":
        return "answered"
    assert shortage.outcome is not None
    outcome, is_tcp = shortage.outcome[program.protocol], program.is_stream
    if outcome == "timeout":
        return "ETIMEDOUT" if is_tcp else "nothing"
    if outcome == "reset":
        return "ECONNREFUSED"
    # What ends a connect is queued unasked (tcp_v4_err). An unreachable host may come back (RFC 1122 section
    # 3.2.2.1), so Linux troubles UDP and ping with code 1 on request only.
    if not is_tcp and not program.queue:
        return "EHOSTUNREACH" if icmp_code != 1 else "nothing"
    return f"EHOSTUNREACH, ICMP 3/{icmp_code} from {sender}"


def _title(program: Client) -> str:
    return NAMES[program.protocol] + (" with IP_RECVERR" if program.queue else "")


def _check(program: Client, expected: str, waiting: float, source: str, report: Report) -> None:
    told = program.told
    report.check(f"{_title(program)} is told", expected=expected, observed=str(told or "nothing"), source=source)
    if told is not None and expected not in ("ETIMEDOUT", "nothing"):
        report.check_between(
            f"{_title(program)} is told in time (seconds)",
            least=waiting,
            most=waiting + IN_TIME_S,
            observed=round(told.seconds, 3),
            source=f"{source}; this scenario's IN_TIME_S",
        )


def _check_given_up(program: Client, given_up: GivingUp, retries: int, linear: int, report: Report) -> None:
    source = f"ip-sysctl: tcp_syn_retries={retries}, {LINEAR}={linear}; tcp_timer.c: tcp_write_timeout"
    report.check_between(
        f"{_title(program)} is given up by its kernel when it should be (seconds)",
        least=given_up.seconds,
        most=given_up.seconds * (1 + TIMER_LATENESS) + IN_TIME_S,
        observed=round(program.told.seconds, 3) if program.told else None,
        source=source,
    )
    report.check(
        f"{_title(program)} has sent so many SYNs again before that",
        expected=given_up.sent_again,
        observed=program.retransmissions,
        source=source,
    )


def _account(lab: Lab, programs: list[Client], report: Report) -> None:
    attempts = [program.attempt(number) for number, program in enumerate(programs, start=1)]
    echoed = {attempt.number for attempt in attempts if attempt.outcome == "established"}
    _, leaked = lab.leaks()
    report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=echoed, leaked=leaked))
    report.counters(lab.gateway.counters("tcp"))
    report.series(
        signals=[
            {
                "program": _title(program),
                **(asdict(program.told) if program.told else {"seconds": None}),
                "icmp": program.told.icmp._asdict() if program.told and program.told.icmp else None,
            }
            for program in programs
        ]
    )
