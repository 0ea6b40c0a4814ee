"""A little more than a NAT can bear, for a while: it may hold each packet that finds no port, or drop it.

Set-up        a pool of `ports` ports; one server; TCP connections that last for `holding` seconds each
Action        clients connect at an even rate, `load` times what the pool can bear, until `rounds` times as many
              have come as there are ports; who is not answered sends again, as his kernel does
Expectation   with on_exhaustion=hold each waits until a port is back, for as long as reckoned, and nobody sends
              twice. With on_exhaustion=drop whoever comes too early waits for his own retransmission: a second
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from controller.configuration import ConfigurationError, Settings
from scenarios.base import Parameters, Scenario, SubscriberParameters
from scenarios.evidence import HELD_S, outcomes
from scenarios.lab import Lab
from scenarios.rates import Pool, check_offer, evenly, timetable
from scenarios.report import Report
from scenarios.traffic.drive import Attempt
from topologies.gateways.behaviour import Behaviour

SYN_TIMER_S = 1.0
"""After which a client sends its SYN again (RFC 6298 section 2; Linux, TCP_TIMEOUT_INIT)."""
TIMER_SLACK = 0.9
"""Share of a kernel's timer that must at least have passed: kernels let timers coincide."""
SURE = 0.1
"""Share of the attempts for which a busy machine may spoil the reckoning."""
SPARE_S = 0.4
"""By how much the longest wait must stay below hold_timeout: a busy machine gives ports back later."""


class HoldParameters(SubscriberParameters):
    """The size of the experiment."""

    holding: float = Field(
        0.3, strict=True, ge=0.1, le=60, description="seconds for which each connection is used"
    )
    load: float = Field(
        1.25, strict=True, gt=1, le=3, description="connections offered, as a multiple of capacity"
    )
    rounds: float = Field(2, strict=True, ge=1.5, le=20, description="connections in all, as a multiple of ports")
    patience: float = Field(4.0, strict=True, ge=1.5, le=60, description="seconds after which a client gives up")


class HoldAndRetry(Scenario):
    """Does it help if a full NAT holds a packet and tries again a moment later?"""

    name = "hold-and-retry"
    claim = "the router holds the packet and tries again a moment later"
    Parameters: ClassVar[type[Parameters]] = HoldParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 32,
        "on_exhaustion": "hold",
        "tcp_trans_close_timeout": 0.4,
        "tcp_rst_timeout": 0.4,
        "hold_down_timeout": 0,
        "port_set_size": 4,
    }
    otherwise: ClassVar[dict[str, Any]] = {"on_exhaustion": "drop"}

    @classmethod
    def check(cls, parameters: HoldParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse what is neither holding nor dropping, and waits that are longer than a packet is held."""
        shortage = behaviour.ports_exhausted.value
        if not shortage.holds and (shortage.evicts == "lru" or (shortage.outcome or {}).get("tcp") != "timeout"):
            raise ConfigurationError(
                f"on_exhaustion={settings.on_exhaustion} neither holds a packet nor drops it silently, and "
                "hold-and-retry compares these two; take on_exhaustion=hold or on_exhaustion=drop"
            )
        pool = _pool(behaviour, parameters, settings)
        check_offer(pool, settings, parameters.load)
        longest = max(pool.waits(_arrivals(pool, parameters)))
        patience = settings.hold_timeout * settings.time_scale
        if shortage.holds and longest + SPARE_S > min(patience, SYN_TIMER_S):
            raise ConfigurationError(
                f"load={parameters.load:g} and rounds={parameters.rounds:g} would let a packet wait for "
                f"{longest:.2f} s, too near to hold_timeout={settings.hold_timeout:g} or to the second after "
                "which a client sends again; take a lower load or fewer rounds"
            )

    def run(self, lab: Lab, parameters: HoldParameters, settings: Settings, report: Report) -> None:
        """Offer a little too much, and see who waits for what."""
        pool = _pool(lab.behaviour, parameters, settings)
        holds = lab.behaviour.ports_exhausted.value.holds
        arrivals = _arrivals(pool, parameters)
        waits = pool.waits(arrivals)
        servers = lab.serve("tcp", held=len(arrivals))
        clients = lab.drive("tcp", attempts=len(arrivals))
        with report.phase("serve"):
            attempts = clients.serve(
                timetable(lab, servers.targets[0], arrivals, parameters.holding),
                patience=parameters.patience,
                progress=lambda done: report.progress(done, len(arrivals)),
            )
        counters = lab.gateway.counters("tcp")
        held = lab.held(attempts)
        served = {attempt.number for attempt in attempts if attempt.outcome == "established"}
        again = [attempt for attempt in attempts if attempt.retransmissions]
        source = str(lab.behaviour.ports_exhausted)

        if holds:
            _check_held(attempts, held, waits, settings, source, report)
        else:
            _check_dropped(attempts, held, sum(pool.refuses(arrivals)), source, report)
        _check_counters(held, counters, report)
        _, leaked = lab.leaks()
        counts = outcomes(attempts, shared=lab.shared(), echoed=served, leaked=leaked, held=held)
        report.outcomes(counts)
        report.counters(counters)
        waited = sorted(attempt.seconds for attempt in attempts if attempt.number in served)
        facts = {
            "offered": len(attempts),
            "served": len(served),
            "held": len(held),
            "clients_that_sent_again": len(again),
            "retransmissions": sum(attempt.retransmissions for attempt in attempts),
            "mean_wait_s": round(sum(waited) / len(waited), 3) if waited else None,
            "longest_wait_s": round(waited[-1], 3) if waited else None,
            "reckoned_longest_wait_s": round(max(waits), 3),
        }
        report.series(hold_and_retry=facts)
        report.tell(
            "hold_and_retry", facts=facts, pool=pool, parameters=parameters, settings=settings, holds=holds
        )


def _pool(behaviour: Behaviour, parameters: HoldParameters, settings: Settings) -> Pool:
    return Pool.of(behaviour, settings, clients=parameters.subscribers, holding=parameters.holding)


def _arrivals(pool: Pool, parameters: HoldParameters) -> list[float]:
    return evenly(round(pool.ports * parameters.rounds), pool.rate * parameters.load)


def _check_held(
    attempts: list[Attempt],
    held: set[int],
    waits: list[float],
    settings: Settings,
    source: str,
    report: Report,
) -> None:
    """Expect that all are served by the queue alone."""
    report.check(
        "every connection is established",
        expected=len(attempts),
        observed=sum(attempt.outcome == "established" for attempt in attempts),
        source=source,
    )
    report.check_at_most(
        "the clients sent nothing again: the NAT retried for them",
        limit=int(SURE * len(attempts)),
        observed=sum(attempt.retransmissions for attempt in attempts),
        source=f"RFC 6298 section 2: a client waits for {SYN_TIMER_S:g} s; TCP_INFO",
    )
    due = {number for number, wait in enumerate(waits, start=1) if wait > 1.5 * HELD_S}
    report.check_at_most(
        "those that came while every port was in use were held, and then let through: so many were not",
        limit=int(SURE * len(attempts)),
        observed=len(due - held),
        source=f"{source}; the time from the client to the wire outside",
    )
    report.check_at_most(
        "nobody waited longer than a packet is held (seconds, the longest wait)",
        limit=settings.hold_timeout * settings.time_scale,
        observed=round(max((a.seconds for a in attempts if not a.retransmissions), default=0.0), 3),
        source="hold_timeout",
    )


def _check_dropped(attempts: list[Attempt], held: set[int], refused: int, source: str, report: Report) -> None:
    """Expect that the clients' own retransmissions do it all."""
    report.check_at_most(
        "no packet was held: so many passed late without having been sent again",
        limit=int(SURE * len(attempts)),
        observed=len(held),
        source=f"{source}; the time from the client to the wire outside",
    )
    again = [attempt for attempt in attempts if attempt.retransmissions]
    fewest = max(1, refused // 2)
    report.check(
        f"at least {fewest} that came while every port was in use had to send again",
        expected=True,
        observed=len(again) >= fewest,
        source=source,
    )
    quickest = min((attempt.seconds for attempt in again if attempt.outcome == "established"), default=None)
    report.check(
        "they were served then, and each only by its own retransmission: after a second at least",
        expected=True,
        observed=quickest is not None and quickest >= SYN_TIMER_S * TIMER_SLACK,
        source="RFC 6298 section 2: the first retransmission timeout is 1 s",
    )


def _check_counters(held: set[int], counters: dict[str, int | None], report: Report) -> None:
    if counters["held_packets"] is not None:
        report.check(
            "the gateway agrees: it held a packet for each of those",
            expected=True,
            observed=counters["held_packets"] >= len(held),
            source="on_exhaustion=hold",
        )
