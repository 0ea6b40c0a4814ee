"""A client that closes every connection, and runs out of ports of its own all the same: by its rate.

Set-up        alice, whose kernel may use `client_ports` ports of its own; a NAT with more ports than that
Action        alice connects to one service and closes, again and again. Then alice goes on, without and with
              tcp_tw_reuse, and bob connects
Expectation   the side that closes first keeps its port in TIME-WAIT. So alice's kernel refuses at once and sends
              no packet, though no connection is open, and bob is not affected. With tcp_tw_reuse the same ports
              serve again after a second, also through the NAT
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import Field

from scenarios.shared.clients import Client
from scenarios.shared.connections import ANSWERED_WITHIN_S, connected, wait
from scenarios.shared.filling import BACK_IN_TIME
from scenarios.shared.requirements import one_address, translates_packets
from scenarios.shared.servers import Connection, Server
from scenarios.shared.tcp_counts import waiting
from testbed.api import (
    Asked,
    Demand,
    Experiment,
    Of,
    Parameters,
    Refusal,
    Requirement,
    Return,
    Scenario,
    Settings,
    SynCounter,
    network_of,
)

LOCAL_PORTS, REUSE = (Path("/proc/sys/net/ipv4") / key for key in ("ip_local_port_range", "tcp_tw_reuse"))
FIRST_LOCAL_PORT, BEYOND = 30_000, 4
REUSABLE_AFTER_S, TICK_S = 1.0, 0.2
"""Seconds after which a port in TIME-WAIT may serve again: timestamps tell the connections apart (RFC 6191)."""
USUAL_PORTS, TIME_WAIT_S = 28_232, 60
"""Linux: the ports of its usual ip_local_port_range, and TCP_TIMEWAIT_LEN in seconds."""
OWN = "connect(2): EADDRNOTAVAIL; RFC 9293 section 3.6: the side that closes first waits"
AGAIN = "ip-sysctl: tcp_tw_reuse; RFC 6191; RFC 9293 section 3.6.1"


class ClientRateParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(2, strict=True, ge=2, description="inside hosts: alice runs out, and bob does not")
    client_ports: int = Field(
        16, strict=True, ge=1, le=1024, description="ports that alice's kernel may use (ip_local_port_range)"
    )


def _too_few_ports(asked: Asked) -> Refusal | None:
    own, ports = asked.parameters.client_ports, asked.settings.capacity_of_address
    if ports > own:
        return None
    why = f"with client_ports={own}, alice and bob take {own + 1}, and the NAT must not be full"
    return Refusal("ports", asked.settings.ports, why, f"ports={own + 1} or more")


class ClientRate(Scenario[ClientRateParameters]):
    """Can a computer run out of ports although it closes every connection?"""

    name = "client-rate"
    claim = "a program that closes its connections never runs out of ports"
    settings = {"ports": 64}
    requires = (
        one_address("the NAT has to have a port for each of the client's"),
        Requirement("more ports than alice has", _too_few_ports, Of.SETTINGS),
        translates_packets("the same ports have to come to the NAT again"),
    )
    reckons_with = (*BACK_IN_TIME, "hold_down_timeout")
    story = """
Alice's kernel had {{ parameters.client_ports|n }} ports of its own, and alice closed each of \
{{ parameters.client_ports|n }} connections before it opened the next. None was open then, and {{ waiting|n }} \
ports were in TIME-WAIT. The next {{ own|length }} attempts ended by {{ own|unique|join(", ") }}, and \
{{ sent|n }} SYNs left alice. Bob's attempt: {{ other }}.
With tcp_tw_reuse, a second later, {{ again|n }} of {{ parameters.client_ports|n }} attempts got through.

So a client that closes first can open {{ usual_ports|n }} / {{ time_wait }} s = {{ usual_ports // time_wait }} \
connections a second to one service, whatever the NAT does. It is why benchmarks and proxies stop with "cannot \
assign requested address". Let the server close first, keep connections open, or use tcp_tw_reuse.
"""

    def run(self, x: Experiment[ClientRateParameters]) -> None:
        """Use up alice's ports by closing, then go on, and use the ports once more."""
        (alice, bob), ports = x.lab.clients[:2], x.parameters.client_ports
        server = Server(x.lab.servers[0].netns, x.lab.endpoint())
        x.lab.ask_as_well(server)
        _set(alice, LOCAL_PORTS, f"{FIRST_LOCAL_PORT} {FIRST_LOCAL_PORT + ports - 1}")
        _set(alice, REUSE, "0")
        with x.phase("connect and close"):
            first = _opened_and_closed(alice, server, ports)
            wait(server, [], ANSWERED_WITHIN_S, lambda: waiting(alice.netns) >= ports)
            closed_at, remembered = time.monotonic(), waiting(alice.netns)
        leaving = SynCounter(alice.netns, "eth0")
        with x.phase("go on"):
            own = connected(alice.netns, server, BEYOND, ANSWERED_WITHIN_S)
            sent = leaving.count()
            others = connected(bob.netns, server, 1, ANSWERED_WITHIN_S)
        with x.phase("go on with tcp_tw_reuse"):
            _set(alice, REUSE, "1")
            wait(server, [], closed_at + REUSABLE_AFTER_S + TICK_S - time.monotonic(), lambda: False)
            again = _opened_and_closed(alice, server, ports)

        through = [each.words for each in again].count("answered")
        answered = [each.words for each in first].count("answered")
        refused = ["EADDRNOTAVAIL"] * BEYOND
        x.check("alice's first connections", expected=ports, observed=answered, source="set-up")
        x.check("alice's ports in TIME-WAIT", expected=ports, observed=remembered, source=OWN)
        x.check("alice's further attempts", expected=refused, observed=[each.words for each in own], source=OWN)
        x.check("SYNs that leave alice", expected=0, observed=sent, source="counted by the host's kernel")
        x.check("bob's connection", expected="answered", observed=others[0].words, source="set-up")
        x.check("connections from the same ports a second later", expected=ports, observed=through, source=AGAIN)
        made = [each.attempt(-number) for number, each in enumerate([*first, *others, *again], start=1)]
        x.account(made, {each.number for each in made if each.outcome == "established"})
        x.tell(
            own=[each.words for each in own],
            waiting=remembered,
            sent=sent,
            other=others[0].words,
            again=through,
            usual_ports=USUAL_PORTS,
            time_wait=TIME_WAIT_S,
        )

    @classmethod
    def demand(cls, parameters: ClientRateParameters, settings: Settings) -> Demand:
        """Return a port for each of alice's, and one for bob."""
        return Demand((parameters.client_ports, 1), returns=Return.SAME)


def _opened_and_closed(host: Any, server: Server, times: int) -> list[Client]:
    """Connect and close, one connection after the other: the client first, and then the server."""
    clients: list[Client] = []
    for _ in range(times):
        clients += connected(host.netns, server, 1, ANSWERED_WITHIN_S)
        clients[-1].close()
        if connection := server.connections.get(clients[-1].nonce):
            _close_after(server, connection)
    return clients


def _close_after(server: Server, connection: Connection) -> None:
    """Have the server close a connection after its client."""
    wait(server, [], ANSWERED_WITHIN_S, lambda: connection.other_side_closed)
    connection.close()


def _set(host: Any, path: Path, value: str) -> None:
    with network_of(host.netns):
        path.write_text(value)
