"""A little more than a NAT can bear, for a while: it may hold each packet that finds no port, or drop it.

Set-up        two homes with a NAT each, of `ports` ports (topology two-homes): alike, but that one holds
              (on_exhaustion=hold) and the other drops. Where a gateway cannot hold, only the other is used
Action        in both at once clients connect at an even rate, `load` times what the pool can bear, until `rounds`
              times as many have come as there are ports; each is used for `holding` seconds
Expectation   where the NAT holds, each waits until a port is back, for as long as reckoned, and nobody sends
              twice. Where it drops, whoever comes too early waits for his own retransmission: a second
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.rates import Pool, check_offer, evenly, timetable
from testbed.evidence.outcomes import HELD_S, SYN_TIMER_S, TIMER_SLACK, outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.parameters import Parameters, SubscriberParameters
from testbed.experiment.report import Report
from testbed.experiment.scenario import Scenario
from testbed.traffic.records import Attempt
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion

HOMES = ("gateway-a", "gateway-b")
DROPPING = "gateway-b"
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
    topology = "two-homes"
    gateways = HOMES
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

    @classmethod
    def of_each_gateway(cls, parameters: HoldParameters) -> dict[str, dict[str, Any]]:
        """Let the second home's NAT drop, whatever the first one's does."""
        return {DROPPING: {"on_exhaustion": "drop"}}

    def run(self, lab: Lab, parameters: HoldParameters, settings: Settings, report: Report) -> None:
        """Offer a little too much in each home, and see who waits for what."""
        names = HOMES if lab.behaviour.ports_exhausted.value.holds else (DROPPING,)
        pool = _pool(lab.behaviour, parameters, settings)
        arrivals = _arrivals(pool, parameters)
        offers = {
            name: range(1 + place * len(arrivals), 1 + (place + 1) * len(arrivals))
            for place, name in enumerate(names)
        }
        total = len(names) * len(arrivals)
        target = lab.serve("tcp", held=total).targets[0]
        clients = lab.drive("tcp", attempts=total)
        plan = [
            planned
            for name, numbers in offers.items()
            for planned in timetable(lab.behind(name), target, arrivals, parameters.holding, first=numbers.start)
        ]
        with report.phase("serve"):
            attempts = clients.serve(
                sorted(plan, key=lambda planned: planned.start),
                patience=parameters.patience,
                progress=lambda done: report.progress(done, total),
            )
        held, again = lab.held(attempts), lab.sent_again(attempts)
        waits = lab.waits(attempts)
        homes = [
            Home(
                attempts=[attempt for attempt in attempts if attempt.number in offers[name]],
                held=held & {*offers[name]},
                sent_again=again & {*offers[name]},
                longest_in_nat=max((waits[number] for number in offers[name] if number in waits), default=None),
                counters=lab.gateways[name].counters("tcp"),
                shortage=lab.behaviours[name].ports_exhausted,
            )
            for name in names
        ]
        for home in homes:
            if home.shortage.value.holds:
                _check_held(home, pool.waits(arrivals), settings, report)
            else:
                _check_dropped(home, sum(pool.refuses(arrivals)), report)
        _, leaked = lab.leaks()
        served = {attempt.number for home in homes for attempt in home.served}
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=served, leaked=leaked, held=held))
        report.counters(homes[0].counters)
        facts = {"hold" if home.shortage.value.holds else "drop": home.facts() for home in homes}
        report.series(hold_and_retry=facts)
        report.tell(
            "hold_and_retry",
            facts=facts,
            pool=pool,
            parameters=parameters,
            settings=settings,
            offered=len(arrivals),
            reckoned=round(max(pool.waits(arrivals)), 3),
        )


@dataclass(frozen=True, slots=True)
class Home:
    """What became of the connections of one home, whose NAT declares `shortage`."""

    attempts: list[Attempt]
    held: set[int]
    sent_again: set[int]
    longest_in_nat: float | None
    """The longest wait of those that sent once, in seconds, as the wire outside saw it."""
    counters: dict[str, int | None]
    shortage: Entry[Exhaustion]

    @property
    def served(self) -> list[Attempt]:
        """Those that were established."""
        return [attempt for attempt in self.attempts if attempt.outcome == "established"]

    @property
    def again(self) -> list[Attempt]:
        """Those whose clients had to send again."""
        return [attempt for attempt in self.attempts if attempt.number in self.sent_again]

    def facts(self) -> dict[str, Any]:
        """Return what the two homes are compared by."""
        waited = [attempt.seconds for attempt in self.served]
        return {
            "offered": len(self.attempts),
            "served": len(self.served),
            "served_share": round(len(self.served) / len(self.attempts), 4),
            "held": len(self.held),
            "clients_that_sent_again": len(self.again),
            "retransmissions": sum(attempt.retransmissions for attempt in self.again),
            "mean_wait_s": round(sum(waited) / len(waited), 3) if waited else None,
            "longest_wait_s": round(max(waited), 3) if waited else None,
        }


def _pool(behaviour: Behaviour, parameters: HoldParameters, settings: Settings) -> Pool:
    return Pool.of(behaviour, settings, clients=parameters.subscribers, holding=parameters.holding)


def _arrivals(pool: Pool, parameters: HoldParameters) -> list[float]:
    return evenly(round(pool.ports * parameters.rounds), pool.rate * parameters.load)


def _check_held(home: Home, waits: list[float], settings: Settings, report: Report) -> None:
    """Expect that all are served by the queue alone."""
    attempts, source = home.attempts, str(home.shortage)
    report.check(
        "where the NAT holds, every connection is established",
        expected=len(attempts),
        observed=len(home.served),
        source=source,
    )
    report.check_at_most(
        "the clients sent nothing again: the NAT retried for them",
        limit=int(SURE * len(attempts)),
        observed=len(home.again),
        source=f"RFC 6298 section 2: a client waits for {SYN_TIMER_S:g} s; TCP_INFO, and the wire outside",
    )
    due = {attempt.number for attempt, wait in zip(attempts, waits, strict=True) if wait > 1.5 * HELD_S}
    report.check_at_most(
        "those that came while every port was in use were held, and then let through: so many were not",
        limit=int(SURE * len(attempts)),
        observed=len(due - home.held),
        source=f"{source}; the time from the client to the wire outside",
    )
    report.check_at_most(
        "nobody waited longer than a packet is held (seconds, the longest wait)",
        limit=round(settings.hold_timeout * settings.time_scale + HELD_S, 3),  # and the way of any other SYN
        observed=home.longest_in_nat and round(home.longest_in_nat, 3),
        source="hold_timeout; the time from the client to the wire outside",
    )
    if (packets := home.counters["held_packets"]) is not None:
        report.check(
            "the gateway agrees: it held a packet for each of those",
            expected=True,
            observed=packets >= len(home.held),
            source="on_exhaustion=hold",
        )


def _check_dropped(home: Home, refused: int, report: Report) -> None:
    """Expect that the clients' own retransmissions do it all."""
    source = str(home.shortage)
    report.check_at_most(
        "where the NAT drops, no packet was held: so many passed late without having been sent again",
        limit=int(SURE * len(home.attempts)),
        observed=len(home.held),
        source=f"{source}; the time from the client to the wire outside",
    )
    fewest = max(1, refused // 2)
    report.check(
        f"at least {fewest} that came while every port was in use had to send again",
        expected=True,
        observed=len(home.again) >= fewest,
        source=source,
    )
    quickest = min((attempt.seconds for attempt in home.again if attempt.outcome == "established"), default=None)
    report.check(
        "they were served then, and each only by its own retransmission: after a second at least",
        expected=True,
        observed=quickest is not None and quickest >= SYN_TIMER_S * TIMER_SLACK,
        source="RFC 6298 section 2: the first retransmission timeout is 1 s",
    )
    if home.counters["held_packets"] is not None:
        report.check(
            "the gateway agrees: it held nothing",
            expected=0,
            observed=home.counters["held_packets"],
            source="on_exhaustion=drop",
        )
