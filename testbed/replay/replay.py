"""A point of a plan on the wire: as many connections as it foresees, at random, through a NAT with its ports.

Set-up        the plan's NAT, as small and as quick as this machine carries it; one server
Action        clients connect at random times (Poisson), keep each connection for a random time (exponential), and
              close it; none tries a second time
Expectation   the core, given the same attempts at the times at which they really came, refuses the same share. The
              formula's share is within the interval of what was refused, where formulas hold
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from controller.nat.settings import NatSettings
from controller.settings.declared import ask_by
from testbed.experiment.demand import Demand
from testbed.experiment.expectations import between
from testbed.experiment.experiment import Experiment
from testbed.experiment.parameters import Parameters
from testbed.experiment.requirements import Asked, Of, Refusal, Requirement
from testbed.experiment.scenario import Scenario
from testbed.plan.arrivals import Arrival
from testbed.plan.differences import differences
from testbed.plan.poisson import Calls
from testbed.plan.simulation import TICK_S, Simulation
from testbed.plan.tally import Tally
from testbed.plan.theory import Model, Offered, models, of_sources
from testbed.replay.alike import refused_alike, shares_alike
from testbed.replay.figures import Figure, coupled, exactly, figure, near, require_enough
from testbed.traffic.records import Attempt, Opening, Served
from topologies.gateways.behaviour import Behaviour

FIRST_SYN_S = 0.8
"""An attempt is given up after this time, before its kernel sends its SYN again: that would be another attempt."""
LEAD_S = 0.2
WARM_UP_HOLDINGS = 4
SURE = 2.0
"""The multiple of half of the 95 % interval in which a formula's share has to be: by chance 1 in 10,000 is not."""
BEARS = 0.02
"""The lateness that the comparison bears, as a part of a port's time, by which each connection may be longer."""


class ReplayParameters(Parameters):
    """A plain Poisson load, and what the plan has said about it."""

    erlangs: float = Field(8.0, gt=0, le=1000, description="connections at once, if none were refused")
    life: float = Field(0.6, ge=0.02, le=3600, description="mean life of a connection (s)")
    sources: int | None = Field(None, ge=2, le=1000, description="sources of one connection each; null: many")
    measured: float = Field(40.0, ge=5, le=3600, description="seconds that are counted")
    planned: float | None = Field(None, ge=0, le=1, description="the share that the plan's simulation refused")
    size: float = Field(1.0, gt=0, le=1, description="the part of the plan's load, ports and limits")
    pace: float = Field(1.0, gt=0, description="the part of the plan's times")


def refuses_at_once(asked: Asked) -> Refusal | None:
    """Return the refusal for a NAT that refuses none, or late."""
    declared = asked.declared.ports_exhausted.value
    if not declared.holds and declared.evicts == "nothing":
        return None
    why = "the share that is refused is compared, and this NAT refuses none or refuses late"
    return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, "on_exhaustion=drop")


class Replay(Scenario[ReplayParameters]):
    """Does the wire refuse what the plan has said?"""

    name = "plan"
    requires = (Requirement("a NAT that refuses at once", refuses_at_once, Of.GATEWAY),)
    cached_flows = 0
    story = """
{{ parameters.erlangs|round(1) }} erlangs were offered to {{ settings.capacity|n }} ports: \
{{ "%.1f"|format(rate) }} connections a second, each of which took its port for {{ "%.2f"|format(holding) }} s on \
average.
{% if parameters.size < 1 %}
That is the plan's point with {{ "%.1f"|format(100 * parameters.size) }} % of its load and its ports.
{% endif %}
{% if parameters.pace < 1 %}
Its times are multiplied by {{ "%.3g"|format(parameters.pace) }}.
{% endif %}

{% for each in figures %}
{{ "%-46s"|format(each.name) }} {{ "%5.2f"|format(100 * each.refused_share) }} % refused\
{% if each.high > each.low %} \
({{ "%.2f"|format(100 * each.low) }} to {{ "%.2f"|format(100 * each.high) }} %){% endif %}

{% endfor %}
{{ attempts|n }} attempts were counted on the wire.
{% for each in why %}
{{ each }}
{% endfor %}
"""

    def run(self, x: Experiment[ReplayParameters]) -> None:
        """Offer the load, give the core the same attempts, and compare both with the formula."""
        back, _ = x.behaviour.port_back.value["close"]
        calls = calls_of(x.parameters, back)
        ask_by(None)  # the core has the same attempts here, and with them a class of one's own
        nat = x.settings.for_nat()
        arrivals = _offered(calls, nat, x.lab.seed, WARM_UP_HOLDINGS * calls.holding + x.parameters.measured)
        counted = [WARM_UP_HOLDINGS * calls.holding <= arrival[0] for arrival in arrivals]
        require_enough(sum(counted))
        lives = [arrival[2] - arrival[0] for arrival in arrivals]
        plan = [
            Served(Opening(number, _client(arrival, x), x.lab.endpoint()), LEAD_S + arrival[0], life)
            for number, (arrival, life) in enumerate(zip(arrivals, lives, strict=True), 1)
        ]
        x.lab.serve("tcp", capacity=len(plan))
        clients = x.lab.drive("tcp", attempts=len(plan))
        with x.phase("serve"):
            attempts = clients.serve(plan, patience=FIRST_SYN_S, progress=lambda done: x.progress(done, len(plan)))
        late = _lateness(plan, attempts)
        refused = [attempt.outcome != "established" for attempt in attempts]
        wire = figure("wire", [*itertools.compress(refused, counted)])
        with x.phase("core"):
            simulated = refused_alike(nat, arrivals, lives, attempts)
            shares = shares_alike(nat, arrivals, lives, attempts, counted, simulated, wire=wire.refused_share)
        core = figure("simulation of the very same attempts", [*itertools.compress(simulated, counted)])
        theory = _theory(calls, x.behaviour, x.settings.capacity)
        few = coupled(sum(counted))
        why = list(differences(x.settings, bursts=False, overlap_helps=False))
        x.check(
            "share of the attempts that is refused, as in the core with the same attempts",
            key="refused-as-in-the-core",
            expected=near(shares, sum(counted)),
            observed=round(wire.refused_share, 4),
            source="controller/nat, by testbed/plan/simulation.py, with the times at which the attempts came",
            bears=BEARS * calls.holding,
            late=late,
        )
        if not why:
            half = SURE * (wire.high - wire.low) / 2 + few
            x.check(
                f"share of the attempts that is refused, as {theory.name} has it",
                key="refused-as-the-formula-has-it",
                expected=between(
                    max(0.0, round(theory.refused_share - half, 4)), round(theory.refused_share + half, 4)
                ),
                observed=round(wire.refused_share, 4),
                source=f"{theory.name}, {theory.erlangs:.2f} erlangs, {theory.ports} ports; twice the interval",
                bears=BEARS * calls.holding,
                late=late,
            )
        figures = [*_beside(x.parameters, theory, core, wire)]
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        x.series(
            beside=[each.as_json() for each in figures],
            attempts_counted=sum(counted),
            latest_start_s=round(late, 3),
            core_asked=len(shares),
        )
        x.tell(rate=calls.rate, holding=calls.holding, figures=figures, attempts=sum(counted), why=why)

    @classmethod
    def demand(cls, parameters: ReplayParameters, settings: Any) -> Demand:
        """Return one connection of each client: whatever else bites does so in the core as well."""
        return Demand((1,) * parameters.subscribers, lasts=None)

    @classmethod
    def lasts(cls, parameters: ReplayParameters, settings: Any) -> float:
        """Return more than the longest life that is likely."""
        return 20 * parameters.life + 20

    @classmethod
    def open_sockets(cls, parameters: ReplayParameters, settings: Any) -> int:
        """Return more than are open at once."""
        return math.ceil(4 * parameters.erlangs) + 100


def calls_of(parameters: ReplayParameters, back: float) -> Calls:
    """Return the load, where a NAT gives a port again `back` seconds after the close.

    Two timers are each found to be over half a tick late, on average.
    """
    return Calls(parameters.erlangs, parameters.life, back + TICK_S, parameters.subscribers, parameters.sources)


def _offered(calls: Calls, nat: NatSettings, seed: int, until: float) -> list[Arrival]:
    """Return the attempts until a time; of sources that have a connection there is none."""
    every = calls.arrivals(random.Random(f"{seed} arrivals"))
    arrivals = itertools.takewhile(lambda arrival: arrival[0] < until, every)
    if calls.sources is None:
        return [*arrivals]
    tally, offered, busy_until = Tally(1, 1), [], dict[int, float]()
    simulation = Simulation(nat, random.Random(f"{seed} nat"), tally)
    for arrival in arrivals:
        at, packet, ends, *_ = arrival
        source, before = packet.source.address, tally.refused
        if busy_until.get(source, 0.0) > at:
            continue
        simulation.feed([arrival])
        offered.append(arrival)
        if tally.refused == before:
            busy_until[source] = ends + calls.after  # its port rests as well, as if it were the connection's
    return offered


def _client(arrival: Arrival, x: Experiment[ReplayParameters]) -> int:
    return (arrival[1].source.address & 0xFFFF) % len(x.lab.clients)


def _lateness(plan: Sequence[Served], attempts: Sequence[Attempt]) -> float:
    """Return by how many seconds an attempt began later than planned, compared with the most punctual one."""
    begun = [attempt.sent_at - served.start for served, attempt in zip(plan, attempts, strict=True)]
    return max(begun, default=0.0) - min(begun, default=0.0)


def _theory(calls: Calls, behaviour: Behaviour, capacity: int) -> Model:
    if calls.sources is not None:
        return of_sources(calls.erlangs, capacity, calls.sources)
    load = Offered("tcp", calls.rate, calls.holding, 1.0)
    return next(models([load], capacity, 1, overlap=False))


def _beside(parameters: ReplayParameters, theory: Model, core: Figure, wire: Figure) -> Iterator[Figure]:
    yield exactly(theory.name, theory.refused_share)
    if parameters.planned is not None and parameters.size == 1:
        yield exactly("the plan's simulation", parameters.planned)
    yield core
    yield wire
