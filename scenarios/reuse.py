"""A port that a NAT gives to another client while the server still remembers the one before.

Set-up        a pool of `ports` ports, all of them alice's, each with a TCP connection to one server; short timers
Action        half of the connections the server closes first, and alice then. Of the other half alice's side just
              vanishes, as in a power failure. When the NAT has forgotten all of them, bob takes every port
Expectation   bob gets through each time. Where the server still has alice's connection, bob's SYN is answered by
              a challenge ACK, bob's kernel resets what it does not know, and its next SYN is accepted (RFC 5961
              section 4). Where the server is in TIME-WAIT it may be the same (RFC 6191). Of what the server
              has forgotten by then, bob meets nothing. A NAT may give bob's next SYN another port, which the
              server may remember as well. So bob's program tries again while the server remembers ever less
"""

from __future__ import annotations

from pydantic import Field

from scenarios.shared.clients import Client
from scenarios.shared.connections import ANSWERED_WITHIN_S, connected, end, one_by_one, wait_and_give_up
from scenarios.shared.filling import BACK_IN_TIME
from scenarios.shared.requirements import finds_every_port, one_address, ports_between, translates_packets
from scenarios.shared.servers import Server
from scenarios.shared.tcp_counts import resets, waiting
from testbed.api import Demand, Experiment, Parameters, Return, Scenario, Settings, at_least, at_most

FEWEST_PORTS, MOST_PORTS = 2, 64
SLACK_S = 1.0
TIME_WAIT_S = 60
"""Linux, include/net/tcp.h: TCP_TIMEWAIT_LEN."""
CHALLENGED = "RFC 5961 section 4.2: a SYN on a connection that is there is answered by a challenge ACK"


class ReuseParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(2, strict=True, ge=2, description="inside hosts: alice has the ports, then bob")
    patience: float = Field(10.0, strict=True, ge=3, le=60, description="seconds after which bob gives up")
    remembered: float | None = Field(
        None,
        strict=True,
        gt=0,
        le=3600,
        description="seconds after which the server gives up a vanished client's connection; null: never",
    )


class Reuse(Scenario[ReuseParameters]):
    """What happens when a NAT gives a port to a new client, and the server still remembers the old one?"""

    name = "reuse"
    claim = "a freed port can be used again at once"
    settings = {
        "ports": 8,
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "tcp_idle_timeout": 1,
        "tcp_trans_open_timeout": 1,
        "hold_down_timeout": 0,
    }
    requires = (
        one_address("bob has to get the very ports that alice had"),
        ports_between(FEWEST_PORTS, MOST_PORTS, "each is a connection of this process"),
        finds_every_port("bob has to get the very ports that alice had"),
        translates_packets("a relay has connections of its own to the server"),
    )
    reckons_with = (*BACK_IN_TIME, "tcp_idle_timeout", "hold_down_timeout")
    story = """
Alice had all {{ settings.capacity|n }} ports. Half of the connections the server closed first, so that its \
kernel remembers them for {{ time_wait|n }} s (TIME-WAIT). Of the others alice's side vanished, and the server \
{{ "has them still" if known else "gave them up after %g s"|format(parameters.remembered) }}. The NAT forgot \
all of them within {{ "%.1f"|format(forgot) }} s, and bob connected again and again. The server remembered \
{{ in_time_wait|n }} of the first and {{ known|n }} of the others then.

{% for each in new %}
{{ "%-34s"|format(each.words ~ (" at port " ~ each.told.seen[1] if each.told and each.told.seen else "")) }} \
{{ "%.2f"|format(each.seconds) if each.seconds else "-" }} s, \
{{ each.retransmissions }} SYN{{ "s" if each.retransmissions != 1 }} sent again\
{{ ", where the server still had alice's" if each in taken }}
{% endfor %}

Bob's kernel sent {{ rsts|n }} RST{{ "s" if rsts != 1 }} for what it had never heard of, and \
{{ reset|n }} program{{ "s" if reset != 1 }} at the server learned from them that alice's connection was reset.

{% if not known and not in_time_wait %}
A port that rests for longer than the server remembers costs its next owner nothing.
{% elif passes %}
A SYN on a connection that the server knows is answered by an ACK for that one. The client resets it and sends \
its SYN again: Linux at once, other systems after a second. A NAT that keeps a closed connection's port for as \
long as TIME-WAIT lasts, four minutes by RFC 9293 and RFC 5382 REQ-5, spares its clients that: \
--set tcp_trans_close_timeout=65 --set remembered=60.
{% else %}
A SYN on a connection that the server knows is answered by an ACK for that one. The RST by which a client would \
end it did not pass this NAT. So a client at such a port gets nothing until it gives up.
{% endif %}
"""

    def run(self, x: Experiment[ReuseParameters]) -> None:
        """Have alice take every port and lose it, and bob take it again."""
        (alice, bob), ports, back = x.lab.clients[:2], x.settings.capacity, x.behaviour.port_back.value
        server = Server(x.lab.servers[0].netns, x.lab.endpoint())
        x.lab.ask_as_well(server)
        with x.phase("alice takes every port"):
            old = connected(alice.netns, server, ports, ANSWERED_WITHIN_S)
        attempts = [each.attempt(number) for number, each in enumerate(old, start=1)]
        held = [each for each in old if each.told and each.told.seen]
        closing, vanishing = held[: len(held) // 2], held[len(held) // 2 :]
        with x.phase("the server closes, and alice vanishes"):
            end(server, closing, vanishing)
        opening = x.settings.in_force("tcp_trans_open_timeout")  # by then it knows what is established
        forgot = max(back["close"][1], back["silence"][1]) + opening + SLACK_S
        with x.phase("the NAT forgets"):
            wait_and_give_up(server, vanishing, forgot, after=x.parameters.remembered)
        known = [each.told.seen for each in vanishing if each.told and server.connections[each.nonce].is_open]
        in_time_wait, sent_before = waiting(server.netns), resets(bob.netns)
        with x.phase("bob takes every port"):
            new = one_by_one(
                bob.netns, server, ports, x.parameters.patience, lambda: _remembered(server, vanishing)
            )
        rsts = resets(bob.netns) - sent_before
        attempts += [each.attempt(number) for number, each in enumerate(new, start=len(old) + 1)]

        through = {each.told.seen: each for each in new if each.told and each.told.seen}
        taken = [through[external] for external in through if external in known]
        reset = sum(server.connections[each.nonce].was_reset for each in vanishing)
        passes, source = x.behaviour.passes_challenges.value, f"{CHALLENGED}; {x.behaviour.passes_challenges}"
        x.check("alice's connections", expected=ports, observed=len(held), source="set-up")
        x.check(
            "bob's connections that get through in the end",
            expected=ports if passes or not known else at_most(ports - len(known)),
            observed=len([each for each in new if each.told and each.told.seen]),
            source=source,
        )
        x.check(
            "ports on which the server still has a connection, and bob gets one",
            expected=at_least(1) if passes and known else 0,
            observed=len(taken),
            source=source,
        )
        x.check(
            "old connections that the server's programs learn are reset",
            expected=at_least(len(taken)) if passes else 0,
            observed=reset,
            source=f"RFC 9293 section 3.10.7.3: bob's kernel resets what it has not asked for; {source}",
        )
        x.check(
            "SYNs that bob's kernel sent again",
            expected=at_least(len(taken) - len([each for each in new if each.waits])),
            observed=sum(each.retransmissions for each in new),
            source=source,
        )
        x.check(
            "RSTs that bob's kernel sent",
            expected=at_least(len(taken)) if known or in_time_wait else 0,
            observed=rsts,
            source=f"{CHALLENGED}; none without such a connection",
        )
        for each in new:
            if each.fileno() >= 0:
                each.reset()  # so that others find a port
        x.account(attempts, {each.number for each in attempts[len(old) :] if each.outcome == "established"})
        rows = [[each.words, each.seconds, each.retransmissions, each in taken] for each in new]
        x.series(reused=rows, remembered=[in_time_wait, len(known)], resets=[rsts])
        x.tell(
            new=new,
            taken=taken,
            forgot=forgot,
            known=len(known),
            in_time_wait=in_time_wait,
            rsts=rsts,
            reset=reset,
            passes=passes,
            time_wait=TIME_WAIT_S,
        )

    @classmethod
    def demand(cls, parameters: ReuseParameters, settings: Settings) -> Demand:
        """Return all ports for alice, and then for bob."""
        return Demand((settings.capacity,) * 2, returns=Return.OTHERS)

    @classmethod
    def open_sockets(cls, parameters: ReuseParameters, settings: Settings) -> int:
        """Return the number of connections of both."""
        return 2 * settings.capacity


def _remembered(server: Server, vanishing: list[Client]) -> int:
    """Return the number of alice's connections that the server remembers, in TIME-WAIT and as established."""
    return waiting(server.netns) + sum(server.connections[each.nonce].is_open for each in vanishing)
