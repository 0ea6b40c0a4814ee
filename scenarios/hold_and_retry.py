"""A little more than a NAT can bear, for a while: it may hold each packet that finds no port, or drop it.

Set-up        two homes with a NAT each, of `ports` ports (topology two-homes): alike, but that one holds
              (on_exhaustion=hold) and the other drops. Where a gateway cannot hold, only the other is used
Action        in both at once clients connect at an even rate, `load` times what the pool can bear, until `rounds`
              times as many have come as there are ports; each is used for `holding` seconds
Expectation   where the NAT holds, each waits until a port is back, as long as computed, and no client sends twice.
              Where it drops, a client that comes too early waits for its own retransmission: a second
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import Field

from scenarios.shared.filling import BACK_IN_TIME
from scenarios.shared.offers import Offer, offer
from scenarios.shared.policies import holds_or_drops
from scenarios.shared.rates import SMALL_POOL, BurstParameters, Pool, at_a_rate, short_waits, steady_pool
from scenarios.shared.requirements import one_address
from testbed.api import (
    HELD_S,
    SYN_TIMER_S,
    TIMER_SLACK,
    Asked,
    Demand,
    Experiment,
    Of,
    Refusal,
    Requirement,
    Restriction,
    Scenario,
    Settings,
    at_least,
    at_most,
    patient,
)

HOMES = ("gateway-a", "gateway-b")
DROPPING = HOMES[1]
SURE = 0.1
"""Share of the attempts for which a busy machine may spoil the computation."""
SPARE_S = 0.4
"""By how much the longest wait must stay below hold_timeout: a busy machine gives ports back later."""
ON_THE_WAY = "the time from the client to the wire outside"
AGAIN = f"RFC 6298 section 2: a client sends again after {SYN_TIMER_S:g} s; TCP_INFO, and the wire outside"


def _too_slow(asked: Asked) -> Refusal | None:
    takes = patient(HELD_S)
    if not asked.declared.ports_exhausted.value.holds or takes <= SPARE_S:
        return None
    why = (
        f"this machine takes {takes:.1f} s for what a usual one does in {HELD_S:g} s, and whether its packet is "
        f"held or late, a client sends again after {SYN_TIMER_S:g} s"
    )
    return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, "a quicker machine")


class HoldParameters(BurstParameters):
    """The size of the experiment."""

    patience: float = Field(4.0, strict=True, ge=1.5, le=60, description="seconds after which a client gives up")


class HoldAndRetry(Scenario[HoldParameters]):
    """Does it help if a full NAT holds a packet and tries again a moment later?"""

    name = "hold-and-retry"
    claim = "the router holds the packet and tries again a moment later"
    topology = "two-homes"
    gateways = HOMES
    settings = {**SMALL_POOL, "on_exhaustion": "hold"}
    requires = (
        one_address("the rate is computed for one pool of ports"),
        holds_or_drops("these two are compared"),
        *steady_pool(lambda asked: asked.parameters.load, share=1 / len(HOMES)),
        short_waits(spare=SPARE_S),
        Requirement(
            "a machine that is quick beside the second after which a client sends again", _too_slow, Of.GATEWAY
        ),
    )
    reckons_with = BACK_IN_TIME
    story = """
Each NAT has {{ pool.ports|n }} ports. A connection is used for {{ parameters.holding }} s, and its port is free \
again {{ "%.1f"|format(pool.occupied - parameters.holding) }} s after the close. So the pool can bear \
{{ "%.1f"|format(pool.rate) }} connections a second. {{ offered|n }} came, {{ parameters.load }} times as fast.
{% for policy, home in facts.items() %}
{% if policy == "hold" %}
One NAT held each packet that found no port, for {{ settings.hold_timeout }} s at most, and let it through as \
soon as one was back: {{ home.held|n }} were held so.
{% else %}
{{ "The other" if "hold" in facts else "The NAT" }} dropped each packet that found no port. No client is told: \
its own kernel sends the SYN again, about a second later.
{% endif %}
{{ home.served|n }} of {{ home.offered|n }} were served; {{ home.clients_that_sent_again|n }} clients had to send \
again. They waited for {{ home.mean_wait_s }} s on average, and for {{ home.longest_wait_s }} s at most.
{% endfor %}
{% if "hold" in facts %}
A short queue smooths a short burst, and nothing else: it has no more ports to give, and each second of this load \
makes it longer.
{% else %}
In a queue the last one would have waited for {{ computed }} s. (Where the gateway can: --set on_exhaustion=hold.)
{% endif %}
"""

    def run(self, x: Experiment[HoldParameters]) -> None:
        """Offer a little too much in each home at once, and see which clients wait, and for what."""
        names = HOMES if x.behaviour.ports_exhausted.value.holds else (DROPPING,)
        pool = Pool.of(x.behaviour, x.settings, x.parameters)
        arrivals = x.parameters.arrivals(pool)
        offers = offer(x, arrivals, x.parameters.holding, patience=x.parameters.patience, behind=names)
        homes = {each.policy: each for each in offers}
        if "hold" in homes:
            _check_held(homes["hold"], pool.waits(arrivals), x)
        if "drop" in homes:
            _check_dropped(homes["drop"], sum(pool.refuses(arrivals)), x)
        for each in offers:
            x.account(each.attempts, each.served, held=each.held, counters=offers[0].counters)
        facts = {policy: home.facts() for policy, home in homes.items()}
        x.series(hold_and_retry=facts)
        x.tell(facts=facts, pool=pool, offered=len(arrivals), computed=round(max(pool.waits(arrivals)), 3))

    @classmethod
    def demand(cls, parameters: HoldParameters, settings: Settings) -> Demand:
        """Return that of one home, in which all wait that come beyond what the pool can bear."""
        load, behind = parameters.load, math.ceil(parameters.subscribers / len(HOMES))
        waiting = math.ceil(settings.capacity * parameters.rounds * (1 - 1 / load)) + 1
        return replace(at_a_rate(parameters, settings, load, subscribers=behind), waiting=waiting)

    @classmethod
    def defaults(cls, restrictions: Iterable[Restriction]) -> dict[str, Any]:
        """Return its defaults for the settings; drop where the gateway cannot hold."""
        cannot = any(each.key == "on_exhaustion" and "hold" not in each.allowed for each in restrictions)
        return {**cls.settings, "on_exhaustion": "drop"} if cannot else cls.settings

    @classmethod
    def of_each_gateway(cls, parameters: HoldParameters) -> dict[str, dict[str, Any]]:
        """Let the second home's NAT drop, whatever the first one's does."""
        return {DROPPING: {"on_exhaustion": "drop"}}


def _check_held(home: Offer, waits: list[float], x: Experiment[HoldParameters]) -> None:
    """Check that all are served by the queue alone."""
    total, declared = len(home.attempts), str(home.behaviour.ports_exhausted)
    few, longest = at_most(int(SURE * total)), round(x.settings.hold_timeout * x.settings.time_scale + HELD_S, 3)
    due = {each.number for each, wait in zip(home.attempts, waits, strict=True) if wait > 1.5 * HELD_S}
    x.check("connections served where the NAT holds", expected=total, observed=len(home.served), source=declared)
    x.check(
        "clients that sent again where the NAT holds",
        expected=few,
        observed=len(home.again),
        source=AGAIN,
        bears=SPARE_S,
        late=home.late,
    )
    x.check(
        "attempts that found no port, but were not held and then let through",
        expected=few,
        observed=len(due - home.held),
        source=f"{declared}; {ON_THE_WAY}",
        bears=HELD_S,
        late=home.late,
    )
    x.check(
        "the longest wait where the NAT holds (seconds)",
        expected=at_most(longest),
        observed=home.longest_in_nat and round(home.longest_in_nat, 3),
        source=f"hold_timeout; {ON_THE_WAY}",
        bears=HELD_S,
        late=home.late,
    )
    x.agrees("packets held by the NAT that holds", at_least(len(home.held)), "held_packets", of=home.counters)


def _check_dropped(home: Offer, refused: int, x: Experiment[HoldParameters]) -> None:
    """Check that the clients' own retransmissions do it all: for half of the computed `refused` at least."""
    declared = str(home.behaviour.ports_exhausted)
    few, some = at_most(int(SURE * len(home.attempts))), at_least(max(1, refused // 2))
    x.check(
        "attempts that were let through late, after one SYN, where the NAT drops",
        expected=few,
        observed=len(home.held),
        source=f"{declared}; {ON_THE_WAY}",
        bears=HELD_S,
        late=home.late,
    )
    x.check(
        "clients that sent again where the NAT drops",
        expected=some,
        observed=len(home.again),
        source=declared,
        bears=HELD_S,
        late=home.late,
    )
    x.check(
        "the shortest time until a client that sent again was served (seconds)",
        expected=at_least(SYN_TIMER_S * TIMER_SLACK),
        observed=home.quickest_again and round(home.quickest_again, 3),
        source=AGAIN,
    )
    x.agrees("packets held by the NAT that drops", 0, "held_packets", of=home.counters)
