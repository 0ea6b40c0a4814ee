"""The client's own ports run out before the NAT's: the same complaint, from another cause.

Set-up        alice, whose kernel may use only `client_ports` ports of its own; a NAT with more ports than that
Action        alice connects to one service until that fails, and BEYOND times more. Bob connects as well. Then bob
              takes every port that the NAT has left, and bob and carol connect once more
Expectation   alice's kernel refuses at once (EADDRNOTAVAIL) and sends no packet, and no other host is affected.
              The full NAT refuses every host, as it declares, after a SYN has left that host
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from scenarios.shared.clients import Client, connect
from scenarios.shared.filling import Filling, outlasting
from scenarios.shared.policies import declares_its_signal
from scenarios.shared.requirements import finds_every_port, one_address, refuses
from testbed.api import (
    DROPPED,
    Asked,
    Demand,
    Endpoint,
    Experiment,
    Of,
    PatientParameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    SynCounter,
    at_least,
    at_most,
    network_of,
    of_ports,
)

LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST_LOCAL_PORT = 32768
BOB = 1
"""Bob's place among the clients."""
BEYOND = 3
"""Connections that alice tries beyond its last port."""
AT_ONCE_S = 0.5
"""The most seconds for a refusal within one host on a busy machine. It takes microseconds, and no packet."""
ANSWERED_WITHIN_S = 5.0
AT_ONCE = "this scenario's AT_ONCE_S"
SET_UP = "set-up: the NAT has more ports than client_ports"
OWN = "connect(2): EADDRNOTAVAIL; ip-sysctl: ip_local_port_range"
COUNTED = "counted by the hosts' kernels on their interfaces"


class ClientParameters(PatientParameters):
    """The size of the experiment."""

    clients: int = Field(8, strict=True, ge=3, description="inside hosts: alice runs out, bob and carol do not")
    client_ports: int = Field(
        16, strict=True, ge=1, le=4096, description="ports that alice's kernel may use (ip_local_port_range)"
    )


def _too_few_ports(asked: Asked) -> Refusal | None:
    own = asked.parameters.client_ports
    if asked.settings.capacity_of_address > own + 1:
        return None
    why = f"with client_ports={own}, alice and bob take {own + 1}, and the NAT must not be full then"
    return of_ports(asked.settings, why, f"ports={own + 2} or more")


class ClientExhaustion(Scenario[ClientParameters]):
    """Is it the NAT that has run out of ports, or the client itself, and how can one tell?"""

    name = "client-exhaustion"
    claim = "your own computer can run out of ports in the same way"
    settings = {"ports": 64}
    requires = (
        one_address("the NAT has to run out of ports for all clients at once"),
        Requirement("more ports than alice and bob take together", _too_few_ports, Of.SETTINGS),
        refuses("its refusal is compared with that of alice's own kernel"),
        declares_its_signal("it is compared with that of alice's own kernel"),
        finds_every_port("bob has to take the last one"),
    )
    story = """
Ports ran out twice, and only once they were the NAT's.

Alice's kernel had {{ parameters.client_ports|n }} ports of its own (ip_local_port_range). With all of them in \
use, connect() failed after {{ "%.0f"|format(own[0].told.seconds * 1e6) if own[0].told else "?" }} microseconds \
with {{ own[0].words }}. {{ sent|n }} SYNs left alice: the NAT, which had \
{{ (settings.capacity - parameters.client_ports)|n }} of its {{ settings.capacity|n }} ports free, was not \
involved, and bob got through.
Then bob took the rest of the NAT's ports. Bob and carol connected once more. {{ sent_at_full|n }} SYNs left \
them, {{ passed|n }} passed the NAT, and the two got: \
{% for each in refused %}{{ each.words }} \
{{ "after %.3f s"|format(each.told.seconds) if each.told else "in %s s"|format(parameters.patience) }}\
{{ "; " if not loop.last else "." }}{% endfor %}


How to tell: EADDRNOTAVAIL, at once and without a packet, comes from your own computer, and other hosts go on \
working. A refusal that takes time, or that comes from the network after a SYN has left, has another cause, and \
other hosts behind the same NAT are refused as well.
"""

    def run(self, x: Experiment[ClientParameters]) -> None:
        """Exhaust alice's ports and connect from bob, then exhaust the NAT's and connect from bob and carol."""
        (alice, bob, carol), own_ports = x.lab.clients[:3], x.parameters.client_ports
        left = x.settings.capacity - own_ports - 1
        filling = Filling(x, attempts=left, capacity=x.settings.capacity)
        target = filling.targets[0]
        _limit(alice, own_ports)
        with x.phase("alice takes all ports of its own"):
            kept = connect([alice], target, times=own_ports, patience=ANSWERED_WITHIN_S)
        with x.phase("alice goes on"):
            own, sent, arrived = _counted(x, [alice], target, times=BEYOND, patience=ANSWERED_WITHIN_S)
        with x.phase("bob connects"):
            others = connect([bob], target, patience=ANSWERED_WITHIN_S)
        x.agrees("packets dropped while only alice has no port", 0, *DROPPED)
        phase = "bob takes all ports of the NAT"
        filled = filling.fill(phase, left, clients=[BOB], in_order=1, patience=ANSWERED_WITHIN_S)
        with x.phase("bob and carol go on"):
            refused, sent_at_full, passed = _counted(x, [bob, carol], target, patience=x.parameters.patience)

        answered = [each.words for each in kept].count("answered")
        errors, outcomes = [each.words for each in own], [each.attempt(0).outcome for each in refused]
        longest = max((each.seconds for each in own if each.seconds is not None), default=None)
        got, expected, promised = len(filled.established), ["EADDRNOTAVAIL"] * BEYOND, [x.promise.outcome] * 2
        alone, full = "when alice's kernel has no port", "when the NAT is full"
        x.check("alice's first connections", expected=own_ports, observed=answered, source=OWN)
        x.check(f"alice's connections {alone}", expected=expected, observed=errors, source=OWN)
        x.check(
            "seconds until alice's kernel refuses",
            expected=at_most(AT_ONCE_S),
            observed=longest,
            source=AT_ONCE,
            bears=AT_ONCE_S / 2,
        )
        x.check(f"SYNs that leave alice {alone}", expected=0, observed=sent, source=COUNTED)
        x.check(f"SYNs that reach the server {alone}", expected=0, observed=arrived, source=COUNTED)
        x.check(f"bob's connection {alone}", expected="answered", observed=others[0].words, source=SET_UP)
        x.check("bob's connections until the NAT is full", expected=left, observed=got, source="RFC 6888 REQ-13")
        x.check(
            f"bob's and carol's connections {full}", expected=promised, observed=outcomes, source=x.promise.source
        )
        x.check(
            f"SYNs that leave bob and carol {full}", expected=at_least(2), observed=sent_at_full, source=COUNTED
        )
        x.check(f"SYNs that reach the server {full}", expected=0, observed=passed, source=COUNTED)
        attempts = [each.attempt(-number) for number, each in enumerate([*kept, *others, *refused], start=1)]
        attempts += filled
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        refusals = [("alice's kernel", each) for each in own] + [("NAT", each) for each in refused]
        x.series(refusals=[{"by": by, "told": each.words, "seconds": each.seconds} for by, each in refusals])
        x.tell(own=own, sent=sent, refused=refused, sent_at_full=sent_at_full, passed=passed)

    @classmethod
    def demand(cls, parameters: ClientParameters, settings: Settings) -> Demand:
        """Return the shares of alice, of bob, who takes what is left and one more, and of carol."""
        shares = (parameters.client_ports, settings.capacity - parameters.client_ports + 1, 1)
        lasts = outlasting(settings.capacity, besides=30 + parameters.patience)
        return Demand(shares, lasts=lasts, in_turn=False)

    @classmethod
    def open_sockets(cls, parameters: ClientParameters, settings: Settings) -> int:
        """Return the number of the NAT's ports, since each gets a socket."""
        return settings.capacity


def _limit(host: Any, ports: int) -> None:
    """Leave a host's kernel `ports` ports of its own to choose from."""
    with network_of(host.netns):
        LOCAL_PORTS.write_text(f"{FIRST_LOCAL_PORT} {FIRST_LOCAL_PORT + ports - 1}")


def _counted(
    x: Experiment[ClientParameters], hosts: list[Any], target: Endpoint, **how: Any
) -> tuple[list[Client], int, int]:
    """Connect, and return the clients, and the numbers of SYNs that left the hosts and that the server got."""
    leaving = [SynCounter(host.netns, "eth0") for host in hosts]
    arriving = SynCounter(x.lab.servers[0].netns, "eth0")
    clients = connect(hosts, target, **how)
    return clients, sum(each.count() for each in leaving), arriving.count()
