"""Flows on which nobody speaks for a while: how long is too long, and what does each end learn?

Set-up        short idle timers; `flows` TCP connections and as many UDP flows, each used once
Action        all of them are silent, each for another time. Then the server says a word. Where that does not
              arrive, the client says one
Expectation   a word after less than the idle timer arrives. After the time that the NAT declares none does, and
              nobody is told. Between the two is the longest interval of keep-alives that keeps a mapping
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from scenarios.shared.filling import QUICK_RELEASE
from scenarios.shared.requirements import one_address, translates_packets
from scenarios.shared.servers import Server
from scenarios.shared.silence import Silent, spoken
from testbed.api import (
    Asked,
    Behaviour,
    Demand,
    Experiment,
    Of,
    Parameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    at_least,
    at_most,
    in_turn,
)

TIMERS = {"tcp": ("tcp_idle_timeout", "silence"), "udp": ("udp_timeout", "udp")}
"""By protocol, the idle timer, and the ending in what a NAT declares of a port's return."""
LONGEST_S = 60.0
SLACK_S, BEARS_S = 0.3, 0.2
"""Seconds that the NAT is granted beyond what it declares, and by which a check may be late."""


class IdleParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(2, strict=True, ge=1, description="inside hosts, whose flows take turns")
    flows: int = Field(
        12, strict=True, ge=4, le=64, description="flows of each protocol, each silent for another time"
    )


def _too_long(asked: Asked) -> Refusal | None:
    for protocol, (key, _) in TIMERS.items():
        longest = _gone_by(asked.declared, protocol)
        if longest > LONGEST_S:
            why = f"a mapping may live for {longest:g} s, and the run waits for its end"
            return Refusal(key, getattr(asked.settings, key), why, "a shorter one, or a smaller time_scale")
    return None


def _too_few_ports(asked: Asked) -> Refusal | None:
    ports, flows = asked.settings.capacity, asked.parameters.flows
    if ports >= 2 * flows:
        return None
    return Refusal(
        "ports", asked.settings.ports, f"flows={flows} that go on elsewhere take new ports", f"ports={2 * flows}"
    )


class Idle(Scenario[IdleParameters]):
    """How long may a connection be silent behind a NAT, and what does each end learn when it was too long?"""

    name = "idle"
    claim = "a connection that nobody closes stays open"
    settings = {"ports": 64, "tcp_idle_timeout": 1, **QUICK_RELEASE, "udp_timeout": 2}
    requires = (
        one_address("a flow that goes on elsewhere is known by its port"),
        Requirement("ports for all flows twice", _too_few_ports, Of.SETTINGS),
        translates_packets("a relay has idle timers of its own for each of its two connections"),
        Requirement(f"idle mappings that are gone within {LONGEST_S:g} s", _too_long, Of.GATEWAY),
    )
    reckons_with = ("tcp_idle_timeout", "tcp_rst_timeout", "udp_timeout")
    story = """
{% for protocol, each in found.items() %}
{{ protocol|upper }} (idle timer {{ each.timer }} s): the server's word arrived after a silence of \
{{ "%.2f"|format(each.longest) if each.longest else "no" }} s at most, and was lost after \
{{ "%.2f"|format(each.shortest) if each.shortest else "no" }} s at least.{% if each.replies %} Where it was lost, \
the server was told nothing, and on its own word the client got \
{% for reply, count in each.replies.items() %}{{ reply }} ({{ count }} of {{ each.replies.values()|sum }})\
{{ ", " if not loop.last }}{% endfor %}.{% endif %}

{% endfor %}
So a keep-alive has to go at least once in each idle timer. The RFCs ask a NAT for two hours of TCP, and for two \
to five minutes of UDP. Programs that send one every 25 s reckon with NATs that give less.
"""

    def run(self, x: Experiment[IdleParameters]) -> None:
        """Be silent on each flow for another time, then speak."""
        target, clients = x.lab.endpoint(), x.lab.clients
        server = Server(x.lab.servers[0].netns, target)
        x.lab.ask_as_well(server)
        with x.phase("be silent"):
            flows = [
                Silent(number, clients[number % len(clients)].netns, protocol, target, interval)
                for number, (protocol, interval) in enumerate(_intervals(x), start=1)
            ]
            spoken(x, flows, server)

        found = {}
        for protocol, (key, _) in TIMERS.items():
            own = [flow for flow in flows if flow.protocol == protocol and flow.opened]
            longest = max((flow.least for flow in own if flow.arrived), default=None)
            shortest = min((flow.most for flow in own if not flow.arrived), default=None)
            timer = x.settings.in_force(key)
            name = protocol.upper()
            x.check(
                f"{name} flows that are used once", expected=x.parameters.flows, observed=len(own), source="set-up"
            )
            x.check(
                f"{name}: seconds of silence after which a word is lost, at least",
                expected=at_least(timer),
                observed=None if shortest is None else round(shortest, 3),
                source=f"the setting {key}; {'RFC 5382 REQ-5' if protocol == 'tcp' else 'RFC 4787 REQ-5'}",
                bears=BEARS_S,
            )
            x.check(
                f"{name}: seconds of silence after which a word arrives, at most",
                expected=at_most(round(_gone_by(x.behaviour, protocol), 3)),
                observed=None if longest is None else round(longest, 3),
                source=f"{x.behaviour.port_back}; and SLACK_S",
                bears=BEARS_S,
            )
            replies = Counter(flow.reply for flow in own if not flow.arrived)
            found[protocol] = {"timer": timer, "longest": longest, "shortest": shortest, "replies": dict(replies)}
        x.account(
            [flow.opened or flow.client.attempt(flow.number) for flow in flows],
            {flow.number for flow in flows if flow.arrived},
        )
        x.series(
            silences=[
                [f.protocol, round(f.least, 3), f.arrived, "" if f.arrived else f.reply] for f in flows if f.opened
            ]
        )
        x.tell(found=found)

    @classmethod
    def demand(cls, parameters: IdleParameters, settings: Settings) -> Demand:
        """Return the flows of each protocol, by the clients in turn, and as many that go on elsewhere."""
        return Demand(in_turn(2 * parameters.flows, parameters.clients), tuple(TIMERS))

    @classmethod
    def open_sockets(cls, parameters: IdleParameters, settings: Settings) -> int:
        """Return the number of flows."""
        return 2 * parameters.flows


def _gone_by(declared: Behaviour, protocol: str) -> float:
    """Return the seconds of silence after which a mapping is gone, as the NAT declares it, and it is granted."""
    _, ending = TIMERS[protocol]
    return declared.port_back.value[ending][1] + SLACK_S


def _intervals(x: Experiment[IdleParameters]) -> Iterator[tuple[str, float]]:
    """Yield protocols and silences: from half of the idle timer until the mapping is gone for certain."""
    for protocol, (key, _) in TIMERS.items():
        shortest = x.settings.in_force(key) / 2
        step = (_gone_by(x.behaviour, protocol) + SLACK_S - shortest) / (x.parameters.flows - 1)
        yield from ((protocol, shortest + place * step) for place in range(x.parameters.flows))
