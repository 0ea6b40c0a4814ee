"""Does a NAT answer ARP, and does it translate the first connections and datagrams?

Set-up        a NAT with many more ports than are needed
Action        ask it for its inside address by ARP. Open a few TCP connections, then UDP flows, and use them
Expectation   it answers, and every connection and flow carries data in both directions
"""

from __future__ import annotations

from typing import Any, ClassVar

from scenarios.shared.filling import QUICK_RELEASE, Filling
from testbed.api import Experiment, PatientParameters, Scenario

FEW = 4


class FirstSteps(Scenario[PatientParameters]):
    """Does a NAT answer ARP, and does it translate the first connections and datagrams?"""

    claim = "a NAT begins with ARP"
    settings: ClassVar = {"ports": 64, **QUICK_RELEASE}
    story = """
The NAT {{ "answered" if arp else "did not answer" }} an ARP request for its inside address. Of {{ few }} TCP \
connections {{ tcp }} carried data, and of {{ few }} UDP flows {{ udp }}.
"""

    def run(self, x: Experiment[PatientParameters]) -> None:
        """Ask by ARP, then connect, then send datagrams."""
        with x.phase("arp"):
            arp = answers_arp(x.lab.clients[0])
        carried = {}
        for protocol in ("tcp", "udp"):
            filling = Filling(x, attempts=FEW, protocol=protocol)
            filled = filling.fill(protocol, FEW, in_order=1)
            echoed = filling.echo()
            x.account(filled, echoed)
            carried[protocol] = len(echoed)
        x.check("ARP answers", expected=1, observed=arp, source="RFC 826")
        x.check("TCP connections that carry data", expected=FEW, observed=carried["tcp"], source="RFC 5382 REQ-1")
        x.check("UDP flows that carry data", expected=FEW, observed=carried["udp"], source="RFC 4787 REQ-1")
        x.tell(arp=arp, few=FEW, **carried)


def answers_arp(host: Any) -> int:
    """Return 1 if a host has the MAC address of its router after a ping, else 0."""
    router = host.cmd("ip route show default").split()[2]
    host.cmd(f"ping -c 1 -W 2 {router}")
    return int("lladdr" in host.cmd(f"ip neigh show {router}"))
