"""A rate of short connections exhausts a NAT as well: its ports, over the time for which each is occupied.

Set-up        a pool of `ports` ports; one server; TCP connections that last for `holding` seconds each
Action        clients connect at an even rate: first at 0.7 of what the pool can bear, then at that, then at 1.5 of
              it; none tries a second time
Expectation   capacity is ports / (holding time + the time until the NAT gives the port again). Below it no client
              is refused (few are, where a port comes back by chance). At a load L above it the share 1 - 1/L is
              refused, and no client finds out why
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scenarios.shared.filling import BACK_IN_TIME
from scenarios.shared.loads import Load, plan, row
from scenarios.shared.offers import offer
from scenarios.shared.rates import SMALL_POOL, Pool, RateParameters, at_a_rate, little_spread, steady_pool
from scenarios.shared.requirements import never_doubling, one_address, refuses_at_once, reserved_for_all
from testbed.api import SYN_TIMER_S, Demand, Experiment, Scenario, Settings, between, unserved

LOADS = {0.7: 0.1, 1.0: 0.3, 1.5: 0.12}
"""Multiples of capacity, and by how much the share that is refused there may be off.

Above capacity each connection takes some milliseconds more on a busy machine. At capacity no port has any time to
spare; and Linux, which takes a closed connection's port only if the new sequence number is ahead, refuses a tenth.
For the same reason it refuses a few below capacity, where none is refused if ports come back by a timer.
"""
FIRST_SYN_S = 0.8
"""An attempt is given up after this time: before its kernel sends its SYN again, which would be a second try. On a
machine that stands still meanwhile the SYN is sent all the same, and must not help."""
LATE_SHARE = 0.1
"""Of the time for which a port is occupied, the share by which connections may come and go late."""
FEWEST_EACH = 8
"""The fewest ports of a subscriber, if it has its own, with which the refused share comes near its limit."""
NO_PORT = ("dropped_port_packets", "dropped_address_packets", "dropped_subscriber_port_packets")


class ChurnParameters(RateParameters):
    """The size of the experiment."""

    measured: float = Field(
        2.0, strict=True, ge=2, le=20, description="duration of a load, as a multiple of a port's time occupied"
    )


class Churn(Scenario[ChurnParameters]):
    """Can a NAT run out of ports although every connection is short?"""

    name = "churn"
    claim = "connections are short-lived, so it rarely matters"
    settings = SMALL_POOL
    requires = (
        refuses_at_once("churn counts the clients that are refused at once"),
        one_address("the rate is computed for one pool of ports"),
        *steady_pool(lambda _: max(LOADS), least=FEWEST_EACH),
        little_spread(),
        reserved_for_all(),
        never_doubling("the rate is computed for a number of ports that stays"),
    )
    reckons_with = (*BACK_IN_TIME, "subscriber_ports")
    story = """
{% set rest = pool.occupied - parameters.holding %}
The NAT has {{ pool.ports|n }} ports\
{% if settings.subscriber_ports %}, {{ settings.subscriber_ports|n }} of each subscriber's own{% endif %}. \
Each connection is used for {{ parameters.holding }} s only\
{% if rest > 0 %}, but its port is occupied for {{ "%.1f"|format(pool.occupied) }} s: the NAT gives it again \
{{ "%.1f"|format(rest) }} s after the close{% endif %}. So the pool can bear \
{{ pool.ports|n }} / {{ "%.1f"|format(pool.occupied) }} = {{ "%.1f"|format(pool.rate) }} connections a second.
{% for row in rows %}
At {{ row.load }} of that ({{ row.offered_per_second }} a second) {{ row.refused|n }} of {{ row.attempts|n }} \
attempts were refused: {{ "%.0f"|format(100 * row.refused_share) }} %. The prediction was \
{{ "%.0f"|format(100 * row.predicted_share) }} %.
{% endfor %}
No more than {{ pool.ports|n }} connections were ever open at once: a rate of short connections runs a NAT out of \
ports as well{% if rest > 0 %}. The shorter they are, the larger is the share of a port's time that passes after \
the close{% endif %}.

With 64,512 ports and the RFC's 240 s after a close, the same calculation gives 269 connections a second.
"""

    def run(self, x: Experiment[ChurnParameters]) -> None:
        """Offer the three loads one after the other, without a pause."""
        pool = Pool.of(x.behaviour, x.settings, x.parameters)
        arrivals, loads = plan(pool, LOADS, x.parameters.measured)
        (offered,) = offer(x, arrivals, x.parameters.holding, patience=FIRST_SYN_S)
        attempts = offered.attempts
        rows = [row(load, attempts) for load in loads]
        for load, figures in zip(loads, rows, strict=True):
            _check_refused(load, figures, pool, offered.late, x)
        if outcome := (x.behaviour.ports_exhausted.value.outcome or {}).get("tcp"):
            x.check(
                f"outcomes of refused attempts besides {outcome}",
                key="refused-outcomes",
                expected=[],
                observed=sorted({attempt.outcome for attempt in attempts} - {"established", outcome}),
                source=str(x.behaviour.ports_exhausted),
                bears=LATE_SHARE * pool.occupied,
            )
        seen = {sighting.nonce for sighting in x.lab.sightings()}
        x.check(
            "attempts that were served by a second try",
            expected=0,
            observed=sum(attempt.nonce in seen for attempt in offered.again),
            source="TCP_INFO, the wire outside, and the server; a second try comes at another load",
            bears=SYN_TIMER_S - FIRST_SYN_S,
        )
        refused = sum(1 + attempt.retransmissions for attempt in unserved(attempts))
        few = max(1, refused // 20)  # a SYN may be lost otherwise where a port changes hands at once
        late = x.judge.let_through_late(attempts)  # given up, but never refused
        near, bears = between(refused - few - late, refused + few), LATE_SHARE * pool.occupied
        x.agrees("packets dropped for want of a port", near, *NO_PORT, of=offered.counters, bears=bears)
        x.account(attempts, offered.served, counters=offered.counters)
        x.series(
            churn=rows,
            latest_start_s=round(offered.late, 3),
            given_up_but_let_through=late,
            capacity_per_second=round(pool.rate, 2),
        )
        x.tell(rows=rows, pool=pool)

    @classmethod
    def demand(cls, parameters: ChurnParameters, settings: Settings) -> Demand:
        """Return that of the highest load."""
        return at_a_rate(parameters, settings, max(LOADS), subscribers=parameters.subscribers)


def window(load: Load, pool: Pool) -> tuple[float, float]:
    """Return the least and the most of the share that may be refused at a load, if not exactly none has to be."""
    highest = max(load.predicted, pool.most_refused(load.load))
    # No attempt is refused in part. Where ports come back by chance, a few attempts more or fewer mean nothing.
    tolerance = LOADS[load.load] + (4 if pool.by_chance else 1) / load.counted
    return max(0.0, round(load.predicted - tolerance, 4)), min(1.0, round(highest + tolerance, 4))


def _check_refused(
    load: Load, figures: dict[str, Any], pool: Pool, late: float, x: Experiment[ChurnParameters]
) -> None:
    """Check the share that is refused; below capacity it is nothing, but for bad luck, or ports that are late."""
    exactly_none = load.load < 1 and not pool.by_chance and pool.most_refused(load.load) == 0
    least, most = window(load, pool)
    x.check(
        f"{'attempts' if exactly_none else 'share of attempts'} refused at {load.load} times capacity",
        key=f"refused-at-{load.load}-times-capacity",
        expected=0 if exactly_none else between(least, most),
        observed=figures["refused" if exactly_none else "refused_share"],
        source=f"capacity is ports / time occupied: {pool.ports} / {pool.occupied:.2f} s; {pool.source}",
        bears=LATE_SHARE * pool.occupied,
        late=late,
    )
