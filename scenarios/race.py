"""Hosts that send from one source port, at the same instant, while the NAT's ports are running short.

Set-up        a pool that has a port for each flow and no more; clients on two processors; one server
Action        in each of several rounds every client sends one datagram from the same source port, all of them at
              once. Those that got no answer send again
Expectation   every flow gets a port. On a NAT that decides about one packet after the other, no first packet is
              lost. On one whose processors decide side by side two of them may take the same port, and one is lost
"""

from __future__ import annotations

from pydantic import Field

from scenarios.shared.filling import outlasting
from scenarios.shared.requirements import finds_every_port, one_address, translates_packets
from scenarios.shared.salvo import Shot, answered, fire
from scenarios.shared.servers import Server
from testbed.api import (
    FIRST_PORT,
    Asked,
    Demand,
    Experiment,
    Of,
    Parameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    at_least,
    in_turn,
)

QUIET_S, TRIES, MOST_ROUNDS = 0.7, 6, 16
"""Seconds without an answer after which a client sends again, the most times that it does, and the most rounds."""


class RaceParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(8, strict=True, ge=2, description="inside hosts that send at the same instant")


def _no_whole_rounds(asked: Asked) -> Refusal | None:
    ports, clients = asked.settings.capacity, asked.parameters.clients
    if ports % clients == 0 and ports <= MOST_ROUNDS * clients:
        return None
    why = f"each of up to {MOST_ROUNDS} rounds takes a port for each of clients={clients}"
    return Refusal("ports", asked.settings.ports, why, f"ports={MOST_ROUNDS * clients}")


class Race(Scenario[RaceParameters]):
    """What if many hosts behind a NAT send from the same port at the same instant?"""

    name = "race"
    claim = "a NAT that has a free port gives it"
    settings = {"ports": 128, "port_set_size": 16}
    requires = (
        one_address("all clients want the ports of one pool"),
        finds_every_port("there are no more ports than flows"),
        Requirement("ports for whole rounds", _no_whole_rounds, Of.SETTINGS),
        translates_packets("a relay has a socket of its own for each flow"),
    )
    story = """
In {{ rounds }} rounds {{ parameters.clients|n }} hosts sent a datagram each, from one source port and at the \
same instant: {{ flows|n }} flows for {{ settings.capacity|n }} ports. \
{{ lost|n }} first packet{{ "s were" if lost != 1 else " was" }} lost\
{% if lost %}, the first in round {{ first }}{% endif %}. With {{ most|n }} packet{{ "s" if most != 1 }} of each \
host at most, {{ through|n }} flows got through.

{% if clashes %}
Linux chooses a port, and enters the connection into its table a moment later. Two processors may choose the \
same port meanwhile. The second finds it taken when it enters its connection, and drops the packet (conntrack -S: \
insert_failed). DNS resolvers know this as a lookup that takes five seconds: of two queries at once, one is lost.
{% else %}
This NAT decides about one first packet after the other. So no two of them ever got the same port.
{% endif %}
"""

    def run(self, x: Experiment[RaceParameters]) -> None:
        """Fire all rounds, and then try again where nothing came."""
        server = Server(x.lab.servers[0].netns, x.lab.endpoint())
        x.lab.ask_as_well(server)
        clients, flows = len(x.lab.clients), x.settings.capacity
        rounds = [
            [
                Shot(1 + first + place, host.netns, FIRST_PORT + first // clients, server.target)
                for place, host in enumerate(x.lab.clients)
            ]
            for first in range(0, flows, clients)
        ]
        shots = [shot for each in rounds for shot in each]
        with x.phase("send at once"):
            fire(rounds, server)
            lost = answered(shots, server, QUIET_S)
        with x.phase("send again"):
            left, tries = lost, 0
            while left and tries < TRIES:
                tries += 1
                for shot in left:
                    shot.send_again()
                left = answered(left, server, QUIET_S)

        clashes = x.behaviour.clashes
        x.check(
            "first packets that are lost",
            expected=at_least(0) if clashes.value else 0,
            observed=len(lost),
            source=f"RFC 6888 REQ-13: the pool has a port for each; {clashes}",
            bears=QUIET_S / 2,
        )
        x.agrees("packets dropped for want of a port", at_least(len(lost)), "dropped_port_packets")
        x.check(
            "flows that get a port in the end",
            expected=flows,
            observed=flows - len(left),
            source=f"RFC 6888 REQ-13; {x.behaviour.finds_every_port_of}",
        )
        attempts = [shot.attempt() for shot in shots]
        x.account(attempts, {each.number for each in attempts if each.outcome == "established"})
        by_round = [sum(shot in lost for shot in each) for each in rounds]
        x.series(lost_by_round=by_round)
        x.tell(
            rounds=len(rounds),
            flows=flows,
            lost=len(lost),
            first=1 + next((place for place, each in enumerate(by_round) if each), 0),
            most=max(shot.sent for shot in shots),
            through=flows - len(left),
            clashes=clashes.value,
        )

    @classmethod
    def demand(cls, parameters: RaceParameters, settings: Settings) -> Demand:
        """Return a flow for each port, by the clients in turn."""
        lasts = outlasting(settings.capacity, besides=10 + QUIET_S * TRIES)
        return Demand(in_turn(settings.capacity, parameters.clients), ("udp",), lasts=lasts)

    @classmethod
    def open_sockets(cls, parameters: RaceParameters, settings: Settings) -> int:
        """Return the number of flows."""
        return settings.capacity
