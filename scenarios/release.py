"""When exactly does a port come back?

Set-up        one client that holds every port of a small pool, TCP and UDP; short timers
Action        its connections end, each in a way of its own, all at once. Another client asks again and again, each
              time with a new socket, and keeps what it gets. The server's answer contains the port
Expectation   none gets through before. Then each port is given again when the gateway declares it: not before the
              timer of its ending, and soon after
"""

from __future__ import annotations

import math

from pydantic import Field

from scenarios.shared.endings import ENDINGS, TCP_ENDINGS, hold
from scenarios.shared.filling import BACK_IN_TIME
from scenarios.shared.probing import PROBE_EVERY_S, Back, Probing, probe
from scenarios.shared.requirements import one_address, ports_between, refuses_at_once
from scenarios.shared.servers import Server
from testbed.api import (
    Asked,
    Behaviour,
    Demand,
    Experiment,
    Of,
    Parameters,
    Refusal,
    Requirement,
    Return,
    Scenario,
    Settings,
    between,
    patient,
)

RELEASE_SLACK_S = 1.5
"""What is granted beyond the timers, on a usual machine: a switch and a controller that are busy. How late the
prober itself is does not count."""
PASSES = 3
"""What may be late before a port is seen again: the end of its connection, its release, and the next SYN."""
TICK_S = 0.02
"""By how much a timer may end too early: kernels count time in ticks, of 10 ms at most."""
FULL_FOR_S = 0.5
"""Seconds before anything ends, in which no probe may get through."""
ROOM_S = 0.5
"""What must lie between the end of a closed connection's timer, the late close, and the idle timer's end."""
PROTOCOLS = ("tcp", "udp")
FEWEST_PORTS, MOST_PORTS = len(TCP_ENDINGS), 50


class ReleaseParameters(Parameters):
    """Nothing more than every scenario has, but fewer clients."""

    clients: int = Field(2, strict=True, ge=2, description="inside hosts: one holds ports, another wants them")


def _idle_too_soon(asked: Asked) -> Refusal | None:
    """Refuse an idle timer that leaves a half-closed connection no time to outlive a closed one."""
    closed, idle = _closed_and_idle(asked.settings, asked.declared)
    if idle - closed >= 2 * ROOM_S:
        return None
    why = f"a half-closed connection has to outlive a closed one, whose port is back within {closed:g} s"
    enough = math.ceil((closed + 2 * ROOM_S) / asked.settings.time_scale)
    return Refusal("tcp_idle_timeout", asked.settings.tcp_idle_timeout, why, f"tcp_idle_timeout={enough} or more")


class Release(Scenario[ReleaseParameters]):
    """When exactly does the port of a connection that has ended come back?"""

    name = "release"
    claim = "when a connection is closed, its port is released for reuse"
    settings = {
        "ports": FEWEST_PORTS,
        "tcp_trans_close_timeout": 2,
        "tcp_rst_timeout": 2,
        "tcp_idle_timeout": 4,
        "udp_timeout": 3,
        "hold_down_timeout": 0,
    }
    requires = (
        one_address("the ports are those of one pool"),
        ports_between(FEWEST_PORTS, MOST_PORTS, "each ending of TCP needs a port, and each port is probed"),
        refuses_at_once("a client that asks for a port has to be refused at once while there is none"),
        Requirement("an idle timer longer than that of closed connections", _idle_too_soon, Of.GATEWAY),
    )
    reckons_with = (*BACK_IN_TIME, "tcp_idle_timeout", "udp_timeout", "hold_down_timeout")
    story = """
One client held all {{ settings.capacity|n }} ports for TCP and as many for UDP. Then every connection ended, \
each in its way, while another client asked for a port again and again. These are the seconds from the end of a \
connection until its port was given again:
{% for ending, seconds in back.items() %}
{% set times = seconds|unique|list %}
{% set some = times|reject("none")|list %}
{% set shown = times if times|length <= 2 else [some|min, "to", some|max] %}
{% set earliest, latest = declared[ending] %}
  {{ "%-42s"|format(endings[ending] ~ ":") }} \
{% for each in shown %}{{ "never" if each is none else each if each is string else "%.2f"|format(each) }} \
{% endfor %}{{ "s " if some else "" }}(declared: {{ "%.2f"|format(earliest) }}\
{% if latest != earliest %} to {{ "%.2f"|format(latest) }}{% endif %} s)
{% endfor %}
The timers: tcp_trans_close_timeout {{ settings.tcp_trans_close_timeout }} s, tcp_rst_timeout \
{{ settings.tcp_rst_timeout }} s, tcp_idle_timeout {{ settings.tcp_idle_timeout }} s, udp_timeout \
{{ settings.udp_timeout }} s, hold_down_timeout {{ settings.hold_down_timeout }} s\
{% if settings.time_scale != 1 %}, all times {{ settings.time_scale }}{% endif %}.
{% if declared["close"][0] %}
A closed connection still blocks its port for a while, since late packets may come.
{% else %}
This NAT gives the port of a closed connection to a new one at once, if no other port is free.
{% endif %}
A half-closed connection is still in use, and keeps its port.\
{% if back["late close"]|reject("none")|list %} One that stayed so for {{ "%.1f"|format(pause) }} s lost it only \
after the other side's close.{% endif %} A connection whose ends just vanish blocks its port longest, as the \
NAT can only wait: with the RFCs' timers two hours.
"""

    def run(self, x: Experiment[ReleaseParameters]) -> None:
        """Hold everything, end it, and see when it comes back."""
        declared, target = x.behaviour.port_back, x.lab.endpoint()
        pause = sum(_closed_and_idle(x.settings, x.behaviour)) / 2
        server, probing = Server(x.lab.servers[0].netns, target), Probing(x.lab.clients[1].netns, target)
        x.lab.ask_as_well(server)
        with x.phase("take every port"):
            held = hold(x.lab.clients[0].netns, target, server, ports=x.settings.capacity, pause=pause)
        every = 2 * x.settings.capacity
        x.check("ports held for TCP and UDP", expected=every, observed=len(held), source="set-up")
        with x.phase("nothing ends"):
            probe(x, probing, held, server, seconds=FULL_FOR_S)
        x.check("ports given again while nothing ends", expected=0, observed=len(probing.got), source="set-up")
        with x.phase("all end, each in its way"):
            for holder in held:
                holder.begin(server)
            latest = max(last for _, last in declared.value.values()) + pause + patient(RELEASE_SLACK_S)
            probe(x, probing, held, server, seconds=latest)

        given: dict[str, list[Back | None]] = {ending: [] for ending in ENDINGS}
        syns = x.judge.opening_syns()
        for holder in held:
            given[holder.ending].append(probing.given_after(holder, server, syns))
        back = {ending: _check_back(x, ending, given[ending]) for ending in ENDINGS}
        attempts = probing.attempts()
        x.lab.pairs += probing.pair(server)
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        x.series(port_back=[{"ending": ending, "seconds": seconds} for ending, seconds in back.items()])
        x.tell(back=back, endings=ENDINGS, declared=declared.value, pause=pause)

    @classmethod
    def demand(cls, parameters: ReleaseParameters, settings: Settings) -> Demand:
        """Return all ports for one client and then for another, which asks for each again and again."""
        each_s = len(PROTOCOLS) * settings.capacity / PROBE_EVERY_S
        return Demand((settings.capacity,) * 2, PROTOCOLS, returns=Return.OTHERS, each_s=each_s)


def _closed_and_idle(settings: Settings, behaviour: Behaviour) -> tuple[float, float]:
    """Return the seconds after which a closed connection's port is back at the latest, and the idle timer's.

    The late close comes halfway between: by then a closed connection's port would be back, and an idle one's not.
    """
    return behaviour.port_back.value["close"][1], settings.tcp_idle_timeout * settings.time_scale


def _check_back(x: Experiment[ReleaseParameters], ending: str, back: list[Back | None]) -> list[float | None]:
    """Check when the first port of an ending was given again, and the last if there are more. Return all times."""
    declared = x.behaviour.port_back
    earliest, latest = declared.value[ending]
    latest += patient(RELEASE_SLACK_S)
    nearest = [None if each is None else round(each.nearest(latest), 3) for each in back]
    times = sorted(math.inf if each is None else each for each in nearest) or [math.inf]
    wanted = {"first": times[0]} if len(back) == 1 else {"first": times[0], "last": times[-1]}
    for which, observed in wanted.items():
        x.check(
            f"after {ENDINGS[ending]}: seconds until the {which} port is given again",
            key=f"{ending.replace(' ', '-')}-{which}-port-back",
            expected=between(round(max(0.0, earliest - TICK_S), 3), round(latest, 3)),
            observed=observed if math.isfinite(observed) else None,
            source=f"{declared}; and RELEASE_SLACK_S, TICK_S",
            bears=_bears(ending, is_early=observed < earliest),
        )
    return nearest


def _bears(ending: str, *, is_early: bool) -> float:
    """Return how late each pass may be for an ending: as is granted, but for a late close that seems too early."""
    return ROOM_S if ending == "late close" and is_early else patient(RELEASE_SLACK_S) / PASSES
