"""How full may a NAT be before it refuses? Linux tries 248 ports at most, and gives up while others are free.

Set-up        clients behind the gateway; one server, one port; a pool of `ports` external ports; idle timers
              longer than the run, so that no port comes back
Action        `attempts` datagrams in turn, few of them at once, each from a source port of its own. The seed draws
              the source ports from `client_port_range`, without repetition
Expectation   a NAT that finds every port refuses none before the last one is taken. A NAT that searches as Linux
              does refuses as many before that as a simulation of its search predicts
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from pydantic import Field, field_validator

from scenarios.shared.checks import check_endpoints, check_own_ports, check_refused
from scenarios.shared.filling import outlasting
from scenarios.shared.models.curve import Prediction, first_refusal, rows
from scenarios.shared.models.source_ports import read
from scenarios.shared.requirements import (
    decides_at_once,
    even_blocks,
    one_address,
    searches_all_ports,
    source_ports,
)
from scenarios.shared.volley import Volley
from testbed.api import (
    DROPPED,
    Experiment,
    PatientParameters,
    Scenario,
    Settings,
    between,
    derived,
    lost_in_switch,
)


class CurveParameters(PatientParameters):
    """The size of the experiment."""

    protocol: ClassVar[str] = "udp"
    attempts: int = derived("datagrams to send, each a connection; by default ports + 10 %", ge=1)
    client_port_range: str = Field(
        "32768-60999",
        strict=True,
        description="FIRST-LAST of the source ports, within 1-65535; by default those that Linux itself uses",
    )
    steps: int = Field(50, strict=True, ge=1, le=1000, description="steps of utilisation in the curve")

    @field_validator("client_port_range")
    @classmethod
    def _is_a_range(cls, text: str) -> str:
        read(text)
        return text

    @property
    def own_ports(self) -> range:
        """The range `client_port_range`, as numbers."""
        return read(self.client_port_range)


class LossCurve(Scenario[CurveParameters]):
    """How likely is a refusal when a given share of the NAT's ports is taken?"""

    name = "loss-curve"
    claim = "what happens is implementation dependent"
    settings = {
        "ports": 4096,
        "port_set_size": 64,  # no block is left over where all clients ask for as much
        "hold_down_timeout": 0,
        "limit_sessions": None,  # whatever the profile says: the ports are to run short
    }
    requires = (
        source_ports(lambda asked: asked.parameters.attempts, each=lambda asked: len(asked.parameters.own_ports)),
        even_blocks(),
        one_address("each address would have a curve of its own"),
        decides_at_once("the question is when a packet is refused"),
        searches_all_ports("it is a search through all of them that is simulated"),
    )
    story = """
{% set ports = settings.capacity %}
{{ parameters.clients|n }} client{{ "s" if parameters.clients > 1 }} sent {{ served|length|n }} datagrams to one \
service, each from a source port of its own out of {{ parameters.client_port_range }}, through a NAT with \
{{ ports|n }} ports. {{ served.count(true)|n }} came through, each from an external port of its own.
{% if first is none %}
None was refused.
{% else %}
The first refusal came when {{ "%.1f"|format(100 * first) }} % of the ports were taken.
{% endif %}
{% if finds >= ports %}
This NAT finds the last free port, however few are left: a refusal means that there is none.
{% else %}
This NAT does not look everywhere: it tries {{ finds }} ports in a row, then fewer and fewer in other places, and \
gives up. So it refuses while ports are free, and the fuller it is, the more often. A packet that is sent again \
may well get through.
{% for row in telling %}
From {{ "%.0f"|format(100 * row.utilisation) }} % utilisation on, {{ row.refused|n }} of {{ row.attempts|n }} \
attempts were refused ({{ "%.0f"|format(100 * row.refused / row.attempts) }} %).
{% endfor %}
A simulation of this search, from the same source ports, puts the first refusal at \
{{ "no utilisation" if predicted.first_refusal is none else "%.1f %%"|format(100 * predicted.first_refusal) }}. \
Of the first {{ ports|n }} attempts, it puts the refusals at {{ predicted.low|n }} to {{ predicted.high|n }}; \
{{ served[:ports].count(false)|n }} were refused.
{% endif %}
"""

    def run(self, x: Experiment[CurveParameters]) -> None:
        """Send the datagrams, and compare the curve of refusals with the predicted one."""
        parameters, ports, finds = x.parameters, x.settings.capacity, x.behaviour.finds_every_port_of
        pool = x.settings.port_set
        volley = Volley.fire(x, parameters.attempts, parameters.own_ports)
        served, refused, counters = volley.served, volley.refused, x.counters()
        if refused and lost_in_switch():
            x.was_late(math.inf)  # a datagram is sent once, and one that the machine has lost was not refused
        with x.phase("predict"):
            predicted = Prediction.of(
                volley.own,
                pool,
                finds_every_port_of=finds.value,
                keeps=bool(x.behaviour.keeps_source_port.value),
                steps=parameters.steps,
                seed=x.lab.seed,
            )
        check_endpoints(volley.seen, served.count(True), x)
        check_own_ports(volley.kept(pool), x)
        first = served[:ports]
        x.check(
            f"refusals among the first {len(first):,} attempts, for which there are ports",
            expected=between(predicted.low, predicted.high),
            observed=first.count(False),
            source=f"{finds}; simulated in scenarios/shared/models",
        )
        if finds.value >= ports:
            source = str(finds)
            x.check("attempts that get a port", expected=len(first), observed=served.count(True), source=source)
        check_refused(refused, x, refused=len(refused))
        x.agrees("packets dropped at any limit", len(refused), *DROPPED, of=counters)
        x.agrees("ports allocated", served.count(True), "ports_allocated", of=counters)
        x.account(volley.attempts, {each.number for each in volley.attempts}, counters=counters)
        observed, refusal = rows(served, ports, parameters.steps), first_refusal(served, ports)
        x.series(
            loss_curve=[dataclasses.asdict(row) for row in observed],
            first_refusal_utilisation=refusal,
            predicted_loss_curve=[dataclasses.asdict(row) for row in predicted.rows],
            predicted_first_refusal_utilisation=predicted.first_refusal,
        )
        telling = [row for row in observed if row.refused and row.utilisation < 1][-9::4]
        x.tell(finds=finds.value, served=served, first=refusal, predicted=predicted, telling=telling)

    @classmethod
    def complete(cls, parameters: CurveParameters, settings: Settings) -> dict[str, Any]:
        """Fill in the number of attempts."""
        return {"attempts": parameters.attempts or math.ceil(settings.capacity * 1.1)}

    @classmethod
    def lasts(cls, parameters: CurveParameters, settings: Settings) -> float:
        """Return a time that is longer than the run."""
        return outlasting(parameters.attempts, besides=10 + 2 * parameters.patience)
