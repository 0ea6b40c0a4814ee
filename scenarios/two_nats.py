"""Two NATs in a row, a home's and its carrier's: one of them has run out, and a client needs to know which.

Set-up        two homes behind one carrier (topology carrier). Each home's NAT has `home_ports` ports, and the
              carrier's has fewer than both homes together
Action        fill the NAT of one home, and connect once from the other home. Then fill the carrier's from there
Expectation   while only a home's NAT is full, the neighbours get through. When the carrier's is full, no home
              does, whatever ports it has left. If NATs send errors, the sender is the NAT that is full
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_established, check_refused
from scenarios.shared.filling import QUICK_RELEASE, Filled, Filling
from scenarios.shared.requirements import keeps_mappings, one_address
from testbed.api import (
    Asked,
    Demand,
    Experiment,
    Of,
    PatientParameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    Side,
    at_least,
)

HOMES = ("home-a", "home-b")
CARRIER = "carrier"


class TwoNatsParameters(PatientParameters):
    """The size of the experiment."""

    home_ports: int = Field(16, strict=True, ge=4, le=64_512, description="ports of each home's NAT")
    beyond: int = Field(4, strict=True, ge=1, description="connections to try beyond what fits")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


def _unfit_carrier(asked: Asked) -> Refusal | None:
    home, beyond = asked.parameters.home_ports, asked.parameters.beyond
    if home + 1 < asked.settings.capacity < 2 * home - beyond:
        return None
    why = f"the carrier's {asked.settings.capacity} must exceed it, and with beyond={beyond} not reach both homes'"
    way_out = f"ports from {home + 2} to {2 * home - beyond - 1}, or a smaller beyond, or more home_ports"
    return Refusal("home_ports", home, why, way_out, kind="parameter")


class TwoNats(Scenario[TwoNatsParameters]):
    """Which of two NATs in a row ran out of ports, and how can a client tell?"""

    name = "two-nats"
    claim = "what happens is implementation dependent"
    topology = "carrier"
    gateways = (CARRIER, *HOMES)
    settings = {"ports": 22, "port_set_size": 4, **QUICK_RELEASE}
    requires = (
        one_address("one home could not use the ports of another address"),
        keeps_mappings("the question is which NAT refuses (eviction is a scenario of its own)"),
        Requirement("a carrier with more ports than one home, and fewer than both", _unfit_carrier, Of.SETTINGS),
    )
    story = """
Two homes are behind one carrier: each home's NAT has {{ parameters.home_ports|n }} ports, the carrier's \
{{ settings.capacity_of_address|n }}.
Home a opened {{ first|length|n }} connections; {{ first.established|length|n }} were established. Meanwhile the \
neighbour in home b {% if got_through %}got through: so it was home a's own NAT that had run out.\
{% else %}did not get through either, so nothing tells which NAT failed.{% endif %}

Then home b opened {{ second|length|n }}; {{ second.established|length|n }} were established. The others failed \
though home b's own NAT had ports left: so it was the carrier's.
{% if promise.outcome == "icmp" %}
A client can read it from its error queue as well: home a's errors came from {{ senders["home-a"]|join(", ") }}, \
the carrier's from {{ senders["carrier"]|join(", ") }}.
{% elif promise.outcome %}
A client gets the same from both ({{ promise.outcome }}) and cannot tell them apart by itself: it takes a \
neighbour. (The sender of an ICMP error shows which NAT refused.)
{% else %}
Nobody knows how these NATs refuse. So a client cannot tell them apart by itself: it takes a neighbour.
{% endif %}
"""

    def run(self, x: Experiment[TwoNatsParameters]) -> None:
        """Fill a home's NAT, then the carrier's, and connect from the neighbour in between."""
        home_ports, beyond = x.parameters.home_ports, x.parameters.beyond
        home_a, home_b = (x.lab.behind(home) for home in HOMES)
        left = x.promise.capacity - home_ports - 1
        filling = Filling(x, attempts=4 * home_ports)

        first = filling.fill("fill home-a", home_ports + beyond, clients=home_a, in_order=1)
        _check_filled("home-a", first, home_ports, x)
        neighbour = filling.fill("ask home-b", 1, clients=home_b, in_order=1)
        _check_free(x, full=["home-a"], when="when home-a is full")
        x.check(
            "connection from home-b while home-a is full",
            expected="established",
            observed=neighbour.attempts[0].outcome,
            source="RFC 6888 section 2: each home is one subscriber",
        )
        second = filling.fill("fill carrier", left + beyond, clients=home_b, in_order=1)
        _check_filled(CARRIER, second, left, x)
        _check_free(x, full=["home-a", CARRIER], when="when the carrier is full")

        senders = {"home-a": _senders(first), CARRIER: _senders(second)}
        if x.promise.outcome == "icmp":
            _check_senders(senders, x)
        everyone = first + neighbour + second
        echoed = filling.echo()
        check_carrying(len(everyone.established), echoed, x)
        x.account(everyone, echoed, counters=x.lab.gateways[CARRIER].counters(x.protocol))
        got_through = neighbour.attempts[0].outcome == "established"
        x.tell(promise=x.promise, first=first, second=second, senders=senders, got_through=got_through)

    @classmethod
    def demand(cls, parameters: TwoNatsParameters, settings: Settings) -> Demand:
        """Return the shares of both homes, in each of which as many clients may be subscribers as it has."""
        beyond, clients = parameters.beyond, parameters.clients // len(HOMES)
        homes = (parameters.home_ports + beyond, settings.capacity - parameters.home_ports + beyond)
        shares, lasts = (*homes, *[1] * (clients - 1)), 12 + 3 * parameters.patience
        return Demand(shares, (parameters.protocol,), lasts=lasts, in_turn=False)

    @classmethod
    def of_each_gateway(cls, parameters: TwoNatsParameters) -> dict[str, dict[str, Any]]:
        """Give the homes fewer ports than the carrier."""
        return {name: {"ports": parameters.home_ports} for name in HOMES}


def _check_filled(name: str, filled: Filled, fitting: int, x: Experiment[TwoNatsParameters]) -> None:
    """Check that `fitting` attempts are established, and that the others end as the NAT promises."""
    promise = replace(x.promise, capacity=fitting, least=fitting)
    check_established(filled, x, promise=promise, of=f"{name}: ")
    check_refused(filled, x, promise=promise, of=f"{name}: ", refused=len(filled) - fitting)


def _check_free(x: Experiment[TwoNatsParameters], *, full: Sequence[str], when: str) -> None:
    """Check that each NAT itself, the second witness, counts free ports, unless it is full."""
    for name, gateway in x.lab.gateways.items():
        expected = 0 if name in full else at_least(1)
        x.agrees(f"free ports of {name} {when}", expected, "ports_free", of=gateway.counters(x.protocol))


def _check_senders(senders: dict[str, list[str]], x: Experiment[TwoNatsParameters]) -> None:
    """Check that a client can see which NAT refused it, since each sends errors from its own address."""
    for name, seen in senders.items():
        inside = next(each for each in x.lab.topology.wiring[name] if each.side is Side.INSIDE)
        x.check(
            f"senders of the errors while {name} is full: its own address",
            expected=[str(inside.address.ip)],
            observed=seen,
            source="RFC 5508 REQ-8; RFC 1812 section 4.3.2.4",
        )


def _senders(filled: Filled) -> list[str]:
    """Return the senders of the ICMP errors that attempts ended by (`type 3 code 13 from 10.1.255.254`)."""
    return sorted({attempt.detail.rpartition(" ")[2] for attempt in filled if attempt.outcome == "icmp"})
