"""Ports that a service of the gateway itself uses, in the range that its NAT gives from.

Set-up        a pool of `ports` ports, of which `reserved_ports` are the gateway's own; one server
Action        clients open as many flows as there are ports, the gateway's own among them, and `beyond` more. Their
              source ports begin at 1024, so a NAT that keeps source ports is asked for the gateway's own as well
Expectation   every other port is given, and none of the gateway's own, though nothing else is left
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_established, check_refused
from scenarios.shared.filling import Filling, outlasting
from scenarios.shared.requirements import finds_every_port, one_address, refuses
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
    in_turn,
)

GIVEN = "the setting reserved_ports; RFC 5382 section 4.3: such a port is not the NAT's to give"


class OwnPortsParameters(PatientParameters):
    """The size of the experiment."""

    beyond: int = Field(4, strict=True, ge=0, le=1000, description="flows beyond the ports that there are")
    protocol: Literal["tcp", "udp"] = Field("udp", description="tcp or udp")


def _none_reserved(asked: Asked) -> Refusal | None:
    if asked.settings.reserved_ports:
        return None
    return Refusal("reserved_ports", [], "the gateway has no port of its own then", "reserved_ports=[1024]")


class OwnPorts(Scenario[OwnPortsParameters]):
    """Is a port that a service of the gateway itself uses ever given away?"""

    name = "own-ports"
    claim = "every port of its address is the NAT's to give"
    settings = {"ports": 17, "port_set_size": 4, "reserved_ports": [1024]}
    requires = (
        one_address("the ports are those of one pool"),
        Requirement("a port that is the gateway's own", _none_reserved, Of.SETTINGS),
        refuses("the question is what is left when every other port is taken"),
        finds_every_port("every port but the gateway's own has to be given"),
    )
    story = """
Of the range that the NAT gives from, {{ own|join(", ") }} {{ "is" if own|length == 1 else "are" }} the gateway's \
own. {{ attempts|n }} flows were opened, and {{ given|length|n }} external ports were seen outside, from \
{{ given|first }} to {{ given|last }}.
{% if wrong %}
{{ wrong|join(", ") }} {{ "was" if wrong|length == 1 else "were" }} among them. A packet for the gateway's \
service now reaches a client, and an answer to that client may reach the service.
{% else %}
The gateway's own {{ "was" if own|length == 1 else "were" }} not among them, though no other port was left.
{% endif %}
A NAT does not look at which ports programs listen on: Linux gives any port of the range that its rule names. So \
a range has to leave out the ports of services such as DNS, IKE or WireGuard, and those that the gateway's own \
connections begin from (net.ipv4.ip_local_port_range).
"""

    def run(self, x: Experiment[OwnPortsParameters]) -> None:
        """Take every port that can be had, and look which these are."""
        own, attempts = _numbers(x.settings.reserved_ports), _attempts(x.parameters, x.settings)
        filling = Filling(x, attempts=attempts, own_ports=True)
        filled = filling.fill("fill", attempts, in_order=1, ahead=x.settings.capacity)
        echoed = filling.echo()

        given = sorted({port for _, port in filling.seen(filled)})
        wrong = [port for port in given if port in own]
        least, _ = x.promise.established(len(filled))
        check_established(filled, x)
        check_refused(filled, x)
        check_carrying(least, echoed, x)
        x.check(
            "ports of the gateway's own that were given", expected=[], observed=wrong, source=GIVEN, bears=None
        )
        x.check(
            "other ports that were given",
            expected=x.settings.capacity,
            observed=len(given) - len(wrong),
            source=f"RFC 6888 REQ-13; {x.behaviour.finds_every_port_of}",
        )
        x.account(filled, echoed)
        x.tell(own=x.settings.reserved_ports, attempts=attempts, given=given, wrong=wrong)

    @classmethod
    def demand(cls, parameters: OwnPortsParameters, settings: Settings) -> Demand:
        """Return all flows, by the clients in turn."""
        attempts = _attempts(parameters, settings)
        lasts = outlasting(attempts, besides=6 + parameters.patience)
        return Demand(in_turn(attempts, parameters.subscribers), (parameters.protocol,), lasts=lasts)

    @classmethod
    def open_sockets(cls, parameters: OwnPortsParameters, settings: Settings) -> int:
        """Return the number of flows."""
        return _attempts(parameters, settings)


def _attempts(parameters: OwnPortsParameters, settings: Settings) -> int:
    return settings.capacity + len(_numbers(settings.reserved_ports)) + parameters.beyond


def _numbers(ranges: Iterable[str]) -> set[int]:
    """Return the ports of ranges such as `1701` and `4500-4510`."""
    ends = [(first, last or first) for first, _, last in (each.partition("-") for each in ranges)]
    return {port for first, last in ends for port in range(int(first), int(last) + 1)}
