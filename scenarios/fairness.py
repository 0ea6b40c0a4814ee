"""One host that wants everything, and the others: does a quota for each subscriber keep something for them?

Set-up        a pool of `ports` ports; one server; the first client is greedy, the others are modest
Action        the greedy client opens as many connections as there are ports. Then each other client opens `modest`
Expectation   without a quota the greedy client gets all, and the others get nothing. With --set port_quota=N it
              gets N, and the others get all that they ask for, as long as N is enough for them
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.shared.filling import QUICK_RELEASE, Filling
from scenarios.shared.models.shares import allotted, jain
from scenarios.shared.requirements import finds_every_port, one_address, refuses
from testbed.api import Demand, Experiment, PatientParameters, Scenario, Settings, at_least

GREEDY = 0
"""The place of the greedy client."""
QUOTA = "RFC 6888 REQ-4: the quota of a subscriber"
JAIN = "Jain, Chiu, Hawe 1984: 1 if all have the same share, 1/n if one of n has everything"


class FairnessParameters(PatientParameters):
    """The size of the experiment."""

    clients: int = Field(8, strict=True, ge=2, description="inside hosts, the first of which is greedy")
    modest: int = Field(4, strict=True, ge=1, le=1000, description="connections that each of the others asks for")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class Fairness(Scenario[FairnessParameters]):
    """Can one greedy host use up the ports of all others, and does a quota help?"""

    name = "fairness"
    claim = "one host can take every port; a quota for each keeps some for the others"
    settings = {"ports": 64, "port_set_size": 8, **QUICK_RELEASE}
    requires = (
        one_address("a client keeps to one address, so the greedy one could not take them all"),
        refuses("fairness is about the clients that are refused"),
        finds_every_port("fairness counts every port"),
    )
    reckons_with = ("port_quota", "port_quota_tcp", "port_quota_udp")
    story = """
{% set greedy, modest = rows[0], rows[1:] %}
{% set hungry = modest|selectattr("share", "lt", 1)|list %}
The NAT has {{ settings.capacity|n }} ports. {{ greedy.client }} asked for {{ greedy.asked|n }}, and \
got {{ greedy.served|n }}. Then {{ modest|length|n }} modest host{{ "s" if modest|length > 1 }} asked for \
{{ parameters.modest|n }} each, and got {{ modest|map(attribute="served")|join(", ") }}.
{% if quota is none %}
No subscriber had a quota: the first to come may take everything, and nothing stops it.
{% else %}
Each subscriber had a quota of {{ quota|n }}: the NAT refused what went beyond it, however many ports were free.
{% endif %}
{% if hungry %}
{{ hungry|length|n }} of the modest hosts did not get what they asked for.
{% else %}
Every modest host got all that it asked for.
{% endif %}
Jain's index over served / asked is {{ "%.2f"|format(index) }}; it is 1 if all get the same share, and \
{{ "%.2f"|format(1 / rows|length) }} if one of them gets everything.
{% if quota is none and follows_quota %}
Try the same with --set port_quota={{ [settings.capacity // rows|length, 1]|max }}.
{% endif %}
"""

    def run(self, x: Experiment[FairnessParameters]) -> None:
        """Fill from the greedy client first, then from the others, and count what each keeps."""
        asked = self.demand(x.parameters, x.settings).shares
        quota = _quota(x.settings, x.protocol)
        expected = allotted(asked, x.settings.capacity, quota)
        filling = Filling(x, attempts=sum(asked), capacity=x.settings.capacity)
        greedy = filling.fill("greedy", asked[GREEDY], clients=[GREEDY], in_order=1)
        modest = filling.fill("modest", sum(asked[1:]), clients=range(1, len(asked)), in_order=1)
        echoed = filling.echo()
        served = filling.by_client(echoed)
        shares = [got / wanted for got, wanted in zip(served, asked, strict=True)]
        fair = jain([got / wanted for got, wanted in zip(expected, asked, strict=True)])

        source = f"{QUOTA}; {x.behaviour.ports_exhausted}"
        x.check("connections that the greedy host keeps", expected=expected[0], observed=served[0], source=source)
        x.check(
            "connections that each modest host keeps", expected=expected[1:], observed=served[1:], source=source
        )
        x.check(
            "Jain's index over served / asked",
            expected=round(fair, 3),
            observed=round(jain(shares), 3),
            source=JAIN,
        )
        bites = quota is not None and quota < max(asked)
        x.agrees("packets dropped at the quota", at_least(1) if bites else 0, "dropped_port_limit_packets")
        x.agrees("ports allocated", sum(expected), "ports_allocated")
        x.account(greedy + modest, echoed)
        names = [host.name for host in x.lab.clients]
        rows = [
            {"client": name, "asked": wanted, "served": got, "share": round(share, 4)}
            for name, wanted, got, share in zip(names, asked, served, shares, strict=True)
        ]
        x.series(fairness=rows, jain_index=round(jain(shares), 4))
        follows_quota = x.lab.gateway.follows("port_quota")
        x.tell(rows=rows, index=jain(shares), quota=quota, follows_quota=follows_quota)

    @classmethod
    def demand(cls, parameters: FairnessParameters, settings: Settings) -> Demand:
        """Return the shares of the greedy client and of the modest ones."""
        shares = (settings.capacity, *[parameters.modest] * (parameters.clients - 1))
        return Demand(shares, (parameters.protocol,), lasts=20 + 4 * parameters.patience, in_turn=False)


def _quota(settings: Settings, protocol: str) -> int | None:
    quotas = [settings.port_quota, getattr(settings, f"port_quota_{protocol}")]
    return min((quota for quota in quotas if quota is not None), default=None)
