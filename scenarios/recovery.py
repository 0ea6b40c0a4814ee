"""One host that has filled the NAT, as a peer-to-peer program does, and then stops: when can others work again?

Set-up        a pool of `ports` ports; the first client has a UDP flow on each of them
Action        it uses all of its flows, and each other client asks for one, in vain. Then it is silent, and the
              others ask again and again, each time from a new socket
Expectation   nobody closes a UDP flow. So the others wait for the idle timer, as the NAT declares it, and then all
              of them get through
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import ClassVar

from pydantic import Field

from scenarios.shared.clients import listen
from scenarios.shared.endings import LISTEN_S
from scenarios.shared.filling import BACK_IN_TIME, Filling
from scenarios.shared.probing import PROBE_EVERY_S, Probing
from scenarios.shared.requirements import finds_every_port, one_address, refuses_at_once
from testbed.api import Demand, Experiment, Parameters, Return, Scenario, Settings, at_least, at_most

AT_ONCE, FILL_S = 16, 5.0
"""Flows that the first client opens at once, and the seconds in which each of them is answered."""
GREEDY = 0
"""The place of the client that fills the NAT."""
SLACK_S, TICK_S, BEARS_S = 1.0, 0.05, 0.5
"""Seconds that a NAT is granted beyond its timers, by which a kernel's timer may be early, and by which this
process may be late."""


class RecoveryParameters(Parameters):
    """The size of the experiment."""

    protocol: ClassVar[str] = "udp"
    clients: int = Field(4, strict=True, ge=2, le=64, description="inside hosts, the first of which fills the NAT")
    asking: float = Field(1.0, strict=True, ge=0.5, le=60, description="seconds for which the others ask in vain")


class Recovery(Scenario[RecoveryParameters]):
    """When one host has filled a NAT and stops, how long must the others wait?"""

    name = "recovery"
    claim = "when the download is over, the Internet works again"
    settings = {"ports": 32, "port_set_size": 8, "udp_timeout": 2, "hold_down_timeout": 0}
    requires = (
        one_address("one host has to fill the pool"),
        refuses_at_once("the others have to be refused while the pool is full"),
        finds_every_port("one host has to take every port"),
    )
    reckons_with = (*BACK_IN_TIME, "udp_timeout", "hold_down_timeout")
    story = """
One host had all {{ settings.capacity|n }} ports, and {{ others|n }} other hosts asked for one in vain. Then it \
stopped, without a word: UDP has no end. \
{% if back %}
The first of the others got through {{ "%.2f"|format(back[0]) }} s after its last packet, and \
{{ back|length|n }} of {{ others|n }} within {{ "%.2f"|format(back[-1]) }} s.
{% else %}
None of the others got through.
{% endif %}

That is the NAT's idle timer: it declares that an idle port is back after {{ "%.1f to %.1f"|format(*promised) }} \
s. \
RFC 4787 REQ-5 asks for two minutes at least and recommends five, so on such a NAT a household waits for minutes \
after one program has ended. A quota for each host (port_quota, RFC 6888 REQ-4) is the remedy: see the scenario \
fairness.
"""

    def run(self, x: Experiment[RecoveryParameters]) -> None:
        """Fill the NAT, have the others ask in vain, stop, and see when these get through."""
        ports, others = x.settings.capacity, range(1, x.parameters.clients)
        filling = Filling(x, protocol="udp", attempts=ports + len(others))
        uses = [time.monotonic()]
        filled = filling.fill(
            "one host takes every port", ports, clients=[GREEDY], in_order=AT_ONCE, patience=FILL_S
        )
        filling.echo(range(1, ports + 1))
        uses.append(time.monotonic())
        asking = x.parameters.asking
        refused = filling.fill(
            "the others ask", len(others), clients=others, in_order=len(others), patience=asking
        )
        stopped_after = time.monotonic()
        echoed = filling.echo(range(1, ports + 1))
        stopped_by = time.monotonic()
        unused = max(later - earlier for earlier, later in pairwise((*uses, stopped_by)))
        x.was_late(unused + 2 * BEARS_S - x.settings.in_force("udp_timeout"))
        earliest, latest = x.behaviour.port_back.value["udp"]
        probing = [Probing(x.lab.clients[place].netns, filling.targets[0]) for place in others]
        with x.phase("it is silent, and the others ask again"):
            give_up_at = stopped_by + latest + SLACK_S + BEARS_S
            while (waiting := [each for each in probing if not each.got]) and time.monotonic() < give_up_at:
                for each in waiting:
                    each.go_on({"udp": 1})
                listen([client for each in waiting for client in each.under_way], LISTEN_S)
        for each in probing:
            each.go_on({})

        got = sorted(min(each.got.values()) for each in probing if each.got)
        x.check("ports that one host takes", expected=ports, observed=len(filled.established), source="set-up")
        x.check(
            "flows of the others while it goes on",
            expected=0,
            observed=len(refused.established),
            source=x.promise_for("udp").source,
        )
        x.check("flows of that host that still work", expected=ports, observed=len(echoed), source="set-up")
        x.check(
            "seconds until the first of the others gets through, at least",
            expected=at_least(round(earliest - TICK_S, 3)),
            observed=round(got[0] - stopped_after, 3) if got else None,
            source=str(x.behaviour.port_back),
            bears=BEARS_S,
        )
        x.check("other hosts that get through", expected=len(others), observed=len(got), source="RFC 4787 REQ-5")
        x.check(
            "seconds until all of the others have got through, at most",
            expected=at_most(round(latest + SLACK_S, 3)),
            observed=round(got[-1] - PROBE_EVERY_S - stopped_by, 3) if len(got) == len(others) else None,
            source=f"{x.behaviour.port_back}; and SLACK_S",
            bears=BEARS_S,
        )
        attempts = [attempt for each in probing for attempt in each.attempts()]
        x.account([*filled, *refused], echoed)
        x.account(attempts, {each.number for each in attempts if each.outcome == "established"})
        back = [at - stopped_by for at in got]
        x.series(recovered=[round(each, 3) for each in back])
        x.tell(others=len(others), back=back, promised=(earliest, latest))

    @classmethod
    def demand(cls, parameters: RecoveryParameters, settings: Settings) -> Demand:
        """Return every port for one host, and one for each other, which asks again and again."""
        others = parameters.clients - 1
        each_s = others / PROBE_EVERY_S
        return Demand((settings.capacity, *[1] * others), ("udp",), returns=Return.OTHERS, each_s=each_s)

    @classmethod
    def open_sockets(cls, parameters: RecoveryParameters, settings: Settings) -> int:
        """Return the number of flows."""
        return settings.capacity + parameters.clients
