"""A plan of several protocols and destinations on the wire: its very attempts, as small and as quick as may be.

Set-up        the plan's NAT, with its timers at the lab's pace. Each subscriber is an inside address, and each
              destination an endpoint outside
Action        clients make the attempts of the plan, TCP and UDP, at their times. They use each connection while it
              lives, and end it as the plan has it. None tries a second time
Expectation   the core, given the same attempts at the times at which they really came, refuses the same share
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import Field

from controller.nat.model import Dependence
from controller.nat.settings import NatSettings
from controller.settings import Settings
from controller.settings.declared import ask_by
from testbed.experiment.demand import Demand
from testbed.experiment.experiment import Experiment
from testbed.experiment.parameters import SubscriberParameters
from testbed.experiment.requirements import Asked, Of, Refusal, Requirement
from testbed.experiment.scenario import Scenario
from testbed.plan.arrivals import Arrival, Ending
from testbed.replay.acting import made, placed
from testbed.replay.alike import refused_alike, shares_alike
from testbed.replay.course import Course, Foreseen
from testbed.replay.figures import Figure, figure, near, require_enough
from testbed.replay.places import Places, destination_of, places
from testbed.replay.replay import BEARS, refuses_at_once
from testbed.replay.rows import Row, rows
from testbed.traffic.records import Attempt
from topologies.gateways.openflow.facts import behaviour

MOST_ENDPOINTS, MOST_ADDRESSES = 1000, 4
"""The destinations that are told apart on the wire: by endpoint, and by address."""
MOST_BORNE_S = 0.25
LATE_SHARE = 0.005
"""The share of attempts that may be later than what is taken for the machine's lateness."""


def _ends_otherwise(asked: Asked) -> Refusal | None:
    if asked.declared.port_back.value == behaviour(asked.settings).port_back.value:
        return None
    why = "this NAT declares to end idle mappings otherwise than the core with which it is compared"
    return Refusal("udp_timeout", asked.settings.udp_timeout, why, "--gateway openflow")


def _too_few_addresses(asked: Asked) -> Refusal | None:
    parameters = asked.parameters
    wanted, there = parameters.inside(asked.settings), parameters.subscribers
    if there >= wanted:
        return None
    why = f"the attempts come from {wanted:,} inside addresses, and {there:,} would be there"
    way_out = f"addresses_per_client={-(-wanted // parameters.clients)}"
    return Refusal("clients", parameters.clients, why, way_out, kind="parameter")


class ManyParameters(SubscriberParameters):
    """What a lab has of a plan, and what the plan has said about it."""

    warm_up: float = Field(0.0, ge=0, le=3600, description="seconds before any attempt is counted")
    measured: float = Field(40.0, ge=5, le=3600, description="seconds that are counted")
    size: float = Field(1.0, gt=0, le=1, description="the part of the plan's attempts, ports and common limits")
    pace: float = Field(1.0, gt=0, le=1, description="the part of the plan's times")
    holding: float = Field(1.0, gt=0, description="mean seconds for which an attempt has its port")
    sockets: int = Field(1000, ge=1, description="connections at once, at most")
    planned: float | None = Field(None, ge=0, le=1, description="the share that the plan's simulation refused")

    def inside(self, settings: Settings) -> int:
        """Return the number of inside addresses that the attempts come from."""
        raise NotImplementedError


P = TypeVar("P", bound=ManyParameters)


class ReplayMany(Scenario[P]):
    """Does the wire refuse what the plan has said, of all protocols and toward all destinations?"""

    requires = (
        Requirement("a NAT that refuses at once", refuses_at_once, Of.GATEWAY),
        Requirement("a NAT that ends mappings as the core does", _ends_otherwise, Of.GATEWAY),
        Requirement("an inside address for each subscriber", _too_few_addresses, Of.SETTINGS),
    )
    cached_flows = 0
    story = """
{{ about }} \
{% if parameters.pace < 1 %}
Its times are multiplied by {{ "%.3g"|format(parameters.pace) }}. A freed port rests for half a second all the \
same, which is {{ "%.2g"|format(0.5 / parameters.pace) }} s of the plan. \
{% endif %}
{{ attempts|n }} attempts were counted, of {{ subscribers|n }} inside addresses, toward {{ endpoints|n }} \
endpoints.
{% if sharing %}
{{ sharing|n }} of the less popular destinations shared endpoints.
{% endif %}
{% if unknown %}
{{ unknown|n }} attempts without an answer took ports as well. Nobody can tell by them whether they were refused.
{% endif %}
{% if repeated %}
{{ repeated|n }} attempts were left out: in the lab their two endpoints came before, \
which kernels keep for a minute.
{% endif %}

{% for each in figures %}
{{ "%-46s"|format(each.name) }} {{ "%5.2f"|format(100 * each.refused_share) }} % refused\
{% if each.low < each.high < 1 %} \
({{ "%.2f"|format(100 * each.low) }} to {{ "%.2f"|format(100 * each.high) }} %){% endif %}

{% endfor %}

{% for each in rows %}
{{ each }}
{% endfor %}
"""

    def run(self, x: Experiment[P]) -> None:
        """Make the attempts, give the core the same ones, and compare both with the plan."""
        ask_by(None)  # the core has the same attempts here, and with them a class of one's own
        parameters, nat = x.parameters, x.settings.for_nat()
        course = self.course(x)
        every = course.until(parameters.warm_up + parameters.measured)
        found = places(every, most_destinations(nat))
        fresh = [*first_of_each(every, found)]
        counted = [is_counted(arrival, parameters.warm_up) for arrival in fresh]
        require_enough(sum(counted))
        lab = placed(x.lab, found, sockets=parameters.sockets)
        arrivals = [lab.moved(arrival) for arrival in fresh]
        with x.phase("live"):
            attempts = made(x.lab, lab, fresh, nat, sockets=parameters.sockets, progress=x.progress)
        both, late = _both(x, nat, arrivals, attempts, counted), lateness(fresh, attempts)
        x.check(
            "share of the attempts that is refused, as in the core with the same attempts",
            key="refused-as-in-the-core",
            expected=near(both.shares, len(both.wire)),
            observed=round(both.figures[1].refused_share, 4),
            source="controller/nat, by testbed/plan/simulation.py, with the times at which the attempts came",
            bears=min(MOST_BORNE_S, BEARS * parameters.holding),
            late=late,
        )
        foreseen = self.foreseen(x)
        figures = [*self.planned(x, foreseen), *both.figures]
        by_class, by_protocol = rows(course.groups, foreseen, both.groups, both.core, both.wire)
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        x.series(
            beside=[each.as_json() for each in figures],
            by_class=[each.as_json() for each in by_class],
            by_protocol=[each.as_json() for each in by_protocol],
            attempts_counted=len(both.wire),
            latest_start_s=round(late, 3),
            core_asked=len(both.shares),
        )
        x.tell(
            about=self.about(x),
            subscribers=len(found.subscribers),
            attempts=len(both.wire),
            endpoints=found.count(silent=False) + found.count(silent=True),
            sharing=found.sharing,
            unknown=sum(arrival[3] is Ending.UNANSWERED for arrival in arrivals),
            repeated=len(every) - len(fresh),
            figures=figures,
            rows=[*Row.lines(by_class, by_protocol)],
        )

    @abstractmethod
    def about(self, x: Experiment[P]) -> str:
        """Return what was planned, and which part of it is in the lab, in sentences."""

    @abstractmethod
    def course(self, x: Experiment[P]) -> Course:
        """Return the attempts, from the first on."""

    @abstractmethod
    def foreseen(self, x: Experiment[P]) -> Foreseen:
        """Return what the core refuses at the lab's size and pace, if nothing is late."""

    @abstractmethod
    def planned(self, x: Experiment[P], foreseen: Foreseen) -> Iterator[Figure]:
        """Yield what was known before: formulas, the plan's own share, and the one of the lab's size and pace."""

    @classmethod
    def demand(cls, parameters: P, settings: Any) -> Demand:
        """Return one connection of each subscriber: whatever else bites does so in the core as well."""
        return Demand((1,) * parameters.subscribers, protocols=("tcp", "udp"), lasts=None)

    @classmethod
    def open_sockets(cls, parameters: P, settings: Any) -> int:
        """Return more than are open at once."""
        return parameters.sockets


def most_destinations(nat: NatSettings) -> int:
    """Return the number of destinations that a lab can tell apart as this NAT does."""
    by_address = Dependence.ADDRESS in (nat.overlapping, nat.overlapping_udp, nat.mapping)
    return MOST_ADDRESSES if by_address else MOST_ENDPOINTS


def first_of_each(arrivals: Sequence[Arrival], found: Places) -> Iterator[Arrival]:
    """Yield the attempts, but for any whose two endpoints in the lab had a connection before."""
    had = set()
    for arrival in arrivals:
        packet, destination = arrival[1], destination_of(arrival)
        pair = packet.protocol, packet.source, found.destinations[destination], destination[1]
        if pair not in had:
            had.add(pair)
            yield arrival


@dataclass(frozen=True, slots=True)
class Both:
    """The attempts that are counted: the group of each, and whether it was refused in the core and on the wire."""

    groups: list[int]
    core: list[bool]
    wire: list[bool]
    shares: list[float]
    """The shares that the core has of these attempts, and of the same a little later."""

    @property
    def figures(self) -> tuple[Figure, Figure]:
        """The shares of the core and of the wire."""
        return figure("simulation of the very same attempts", self.core), figure("wire", self.wire)


def is_counted(arrival: Arrival, warm_up: float) -> bool:
    """Return whether it can be told of an attempt that it was refused, when the NAT is as full as it gets."""
    return arrival[0] >= warm_up and arrival[3] is not Ending.UNANSWERED


def _both(
    x: Experiment[P],
    nat: NatSettings,
    arrivals: Sequence[Arrival],
    attempts: Sequence[Attempt],
    counted: Sequence[bool],
) -> Both:
    """Give the core the same attempts, and return what it refused, and what the wire did."""
    lives = [0.0 if each[3] is Ending.UNANSWERED else each[2] - each[0] for each in arrivals]
    seen = {sighting.nonce for sighting in x.lab.sightings()}
    refused = [attempt.outcome != "established" and attempt.nonce not in seen for attempt in attempts]
    wire = [*itertools.compress(refused, counted)]
    with x.phase("core"):
        simulated = refused_alike(nat, arrivals, lives, attempts)
        share = sum(wire) / max(1, len(wire))
        shares = shares_alike(nat, arrivals, lives, attempts, counted, simulated, wire=share)
    return Both(
        groups=[*itertools.compress((arrival[4] for arrival in arrivals), counted)],
        core=[*itertools.compress(simulated, counted)],
        wire=wire,
        shares=shares,
    )


def lateness(arrivals: Sequence[Arrival], attempts: Sequence[Attempt]) -> float:
    """Return by how many seconds attempts began later than planned, or had their answers late.

    A share of LATE_SHARE was later: less than the share by which the wire may differ.
    """
    begun = [attempt.sent_at - arrival[0] for arrival, attempt in zip(arrivals, attempts, strict=True)]
    first = min(begun, default=0.0)
    delays = sorted(
        max(start - first, attempt.seconds if attempt.outcome == "established" else 0.0)
        for start, attempt in zip(begun, attempts, strict=True)
    )
    return delays[max(0, math.ceil((1 - LATE_SHARE) * len(delays)) - 1)] if delays else 0.0
