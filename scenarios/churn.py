"""A rate of short connections exhausts a NAT as well: its ports, over the time for which each is occupied.

Set-up        a pool of `ports` ports; one server; TCP connections that last for `holding` seconds each
Action        clients connect at an even rate: first at 0.7 of what the pool can bear, then at that, then at 1.5 of
              it; none tries a second time
Expectation   capacity is ports / (holding time + what the NAT needs to give the port again). Below it nobody is
              refused (few, where a port comes back by chance); at a load L above it, the share 1 - 1/L is, and
              nobody finds out why
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.rates import Pool, check_offer, evenly, timetable
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.parameters import Parameters, SubscriberParameters
from testbed.experiment.report import Report
from testbed.experiment.scenario import Scenario
from testbed.traffic.records import Attempt
from topologies.gateways.behaviour import Behaviour

LOADS = (0.7, 1.0, 1.5)
"""Multiples of capacity: below, at, above."""
SETTLING = 1.0
"""A new load is offered for so many times a connection's time before anybody counts: then it is in balance. The
first begins with an empty NAT, which its own end settles: it is the last connections that could be refused."""
FIRST_SYN_S = 0.8
"""An attempt is given up after so long: before its kernel sends its SYN again, which would be a second try. On a
machine that stands still meanwhile it is sent all the same, and must not help."""
AT_CAPACITY = LOADS[1]
TOLERANCE = 0.12
"""By how much a share may be off: on a busy machine each connection takes some milliseconds more."""
UNLUCKY = 0.1
"""The share that may be refused below capacity where a closed connection's port comes back by chance. Linux gives
it by his sequence number to some newcomers and not to others: who finds few such ports and no other may get
none."""
TOLERANCE_AT_CAPACITY = 0.3
"""At capacity no port has any time to spare, so every millisecond counts; and Linux, which takes a closed
connection's port only if the new sequence number is ahead, refuses a tenth there."""


class ChurnParameters(SubscriberParameters):
    """The size of the experiment."""

    holding: float = Field(
        0.3, strict=True, ge=0.1, le=60, description="seconds for which each connection is used"
    )
    measured: float = Field(
        2.0,
        strict=True,
        ge=2,
        le=20,
        description="how long each load is measured, as a multiple of the time that a port is occupied",
    )


@dataclass(frozen=True, slots=True)
class Load:
    """One load: connections offered in a second, by the number of the first that counts, and how many do."""

    load: float
    rate: float
    first: int
    counted: int

    @property
    def predicted(self) -> float:
        """The share that is refused in the long run: what comes beyond capacity."""
        return max(0.0, 1 - 1 / self.load)


class Churn(Scenario):
    """Can a NAT run out of ports although every connection is short?"""

    name = "churn"
    claim = "connections are short-lived, so it rarely matters"
    Parameters: ClassVar[type[Parameters]] = ChurnParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 32,
        "tcp_trans_close_timeout": 0.4,
        "tcp_rst_timeout": 0.4,
        "hold_down_timeout": 0,
        "port_set_size": 4,
    }

    @classmethod
    def check(cls, parameters: ChurnParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse a NAT that refuses nobody at once, and rates that no machine can offer."""
        shortage = behaviour.ports_exhausted.value
        if shortage.holds or shortage.evicts == "lru" or shortage.outcome is None:
            raise ConfigurationError(
                f"on_exhaustion={settings.on_exhaustion} refuses nobody at once, and churn counts those who are "
                "refused; take on_exhaustion=drop, icmp or reset"
            )
        check_offer(_pool(behaviour, parameters, settings), settings, max(LOADS))

    def run(self, lab: Lab, parameters: ChurnParameters, settings: Settings, report: Report) -> None:
        """Offer the three loads one after the other, without a pause."""
        pool = _pool(lab.behaviour, parameters, settings)
        arrivals, loads = plan(pool, parameters.measured)
        servers = lab.serve("tcp", held=len(arrivals))
        clients = lab.drive("tcp", attempts=len(arrivals))
        with report.phase("serve"):
            attempts = clients.serve(
                timetable(range(len(lab.clients)), servers.targets[0], arrivals, parameters.holding),
                patience=FIRST_SYN_S,
                progress=lambda done: report.progress(done, len(arrivals)),
            )
        counters = lab.gateway.counters("tcp")
        rows = [_row(load, attempts) for load in loads]
        for load, row in zip(loads, rows, strict=True):
            _check_share(load, row, pool, report)
        _check_endings(attempts, lab.behaviour, report)
        again, served = lab.sent_again(attempts), {seen.nonce for seen in servers.sightings()}
        report.check(
            "nobody was served for having tried twice",
            expected=0,
            observed=sum(attempt.nonce in served for attempt in attempts if attempt.number in again),
            source="TCP_INFO, the wire outside, and the server; a second try comes at another load",
        )
        _check_counters(attempts, counters, report)
        _, leaked = lab.leaks()
        served = {attempt.number for attempt in attempts if attempt.outcome == "established"}
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=served, leaked=leaked))
        report.counters(counters)
        report.series(churn=rows, capacity_per_second=round(pool.rate, 2))
        report.tell("churn", rows=rows, pool=pool, parameters=parameters, settings=settings)


def plan(pool: Pool, measured: float) -> tuple[list[float], list[Load]]:
    """Return when the attempts start, and which of them count for which load."""
    arrivals: list[float] = []
    loads = []
    at = 0.0
    for load in LOADS:
        rate = pool.rate * load
        settling = round(rate * pool.occupied * SETTLING) if arrivals else 0
        counted = max(1, round(rate * pool.occupied * measured))
        loads.append(Load(load, rate, len(arrivals) + settling + 1, counted))
        arrivals += evenly(settling + counted, rate, after=at)
        at += (settling + counted) / rate
    return arrivals, loads


def _pool(behaviour: Behaviour, parameters: ChurnParameters, settings: Settings) -> Pool:
    return Pool.of(behaviour, settings, clients=parameters.subscribers, holding=parameters.holding)


def _row(load: Load, attempts: list[Attempt]) -> dict[str, Any]:
    counted = attempts[load.first - 1 : load.first - 1 + load.counted]
    refused = sum(attempt.outcome != "established" for attempt in counted)
    seconds = counted[-1].sent_at - counted[0].sent_at
    return {
        "load": load.load,
        "offered_per_second": round(load.rate, 2),
        "measured_per_second": round((len(counted) - 1) / seconds, 2) if seconds else None,
        "attempts": len(counted),
        "refused": refused,
        "refused_share": round(refused / len(counted), 4),
        "predicted_share": round(load.predicted, 4),
    }


def _check_share(load: Load, row: dict[str, Any], pool: Pool, report: Report) -> None:
    source = f"capacity is ports / time occupied: {pool.ports} / {pool.occupied:.2f} s; {pool.source}"
    if load.load < AT_CAPACITY and pool.by_chance:
        report.check_at_most(
            f"at {load.load:g} of capacity hardly anybody is refused: the share of those who had no luck",
            limit=round(UNLUCKY + 1 / load.counted, 4),
            observed=row["refused_share"],
            source=source,
        )
        return
    if load.load < AT_CAPACITY:
        report.check(
            f"at {load.load:g} of capacity nobody is refused",
            expected=0,
            observed=row["refused"],
            source=source,
        )
        return
    tolerance = TOLERANCE if load.load > AT_CAPACITY else TOLERANCE_AT_CAPACITY
    tolerance = round(tolerance + 1 / load.counted, 4)  # nobody is refused in part
    report.check_at_most(
        f"at {load.load:g} of capacity, the share {load.predicted:.2f} is refused: off by so much",
        limit=tolerance,
        observed=round(abs(row["refused_share"] - load.predicted), 4),
        source=source,
    )


def _check_endings(attempts: list[Attempt], behaviour: Behaviour, report: Report) -> None:
    outcome = (behaviour.ports_exhausted.value.outcome or {})["tcp"]
    report.check(
        f"whoever is refused ends by {outcome}",
        expected=[],
        observed=sorted({a.outcome for a in attempts} - {"established", outcome}),
        source=str(behaviour.ports_exhausted),
    )


def _check_counters(attempts: list[Attempt], counters: dict[str, int | None], report: Report) -> None:
    refused = sum(1 + attempt.retransmissions for attempt in attempts if attempt.outcome != "established")
    if counters["dropped_port_packets"] is not None:
        dropped = counters["dropped_port_packets"] + (counters.get("dropped_address_packets") or 0)
        report.check_at_most(
            f"the gateway agrees: it dropped {refused} packets for want of a port; off by so many",
            limit=max(1, refused // 20),  # a SYN may be lost otherwise where a port changes hands at once
            observed=abs(dropped - refused),
            source="RFC 8512 dropped-port-packets",
        )
