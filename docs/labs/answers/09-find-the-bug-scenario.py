"""Lab 9: a scenario that finds each bug which a student meets on the wire."""

from __future__ import annotations

from typing import ClassVar

from scenarios.shared.filling import QUICK_RELEASE, Filling
from testbed.api import Experiment, PatientParameters, Scenario

GREEDY, OTHERS = 0, range(1, 8)


class DataSheet(Scenario[PatientParameters]):
    """Does the NAT do what its data sheet says about ports, quota and refusals?"""

    claim = "a NAT does what its data sheet says"
    settings: ClassVar = {"ports": 32, "port_quota": 6, "on_exhaustion": "icmp", **QUICK_RELEASE}
    reckons_with = ("port_quota",)
    story = "The NAT gave {{ greedy }} ports to the first host, and {{ whole }} in all."

    def run(self, x: Experiment[PatientParameters]) -> None:
        """Have the first host ask for more than its quota, and all of them for more than there is."""
        quota, ports = x.settings.port_quota or 0, x.settings.port_count
        filling = Filling(x, attempts=quota + 2 + ports, capacity=ports)
        greedy = filling.fill("greedy", quota + 2, clients=[GREEDY], in_order=1)
        others = filling.fill("others", ports - quota + 3, clients=OTHERS, in_order=1)
        echoed = filling.echo()

        got, whole = len(greedy.established), len(greedy.established) + len(others.established)
        refused = {each.outcome for each in (*greedy.attempts, *others.attempts) if each.outcome != "established"}
        x.check("ports of the first host", expected=quota, observed=got, source="RFC 6888 REQ-4")
        x.check("ports in all", expected=ports, observed=whole, source="RFC 6888 REQ-11")
        x.check("what the refused ones get", expected=["icmp"], observed=sorted(refused), source="RFC 5508 REQ-8")
        x.account(greedy + others, echoed)
        x.tell(greedy=got, whole=whole)
