"""A scenario of one's own: which hosts answer a ping from inside?

Set-up        the home network
Action        alice pings every host that she should reach, and an address that no host has
Expectation   her neighbour and every address of the servers answer; the address without a host does not
"""

from __future__ import annotations

from typing import Any

from testbed.api import Experiment, Parameters, Scenario

UNUSED = "198.51.100.99"
"""An address of the server's network that no host has."""


class WhoAnswers(Scenario[Parameters]):
    """Which hosts answer a ping from inside?"""

    claim = "a NAT translates pings as well"
    story = """
alice pinged {{ answered|length }} addresses, and {{ answered.values()|sum }} of them \
answered{% if answered[unused] %},
even {{ unused }}, which no host has{% endif %}.
"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Ping them all."""
        alice, bob = x.lab.clients[:2]
        servers = [str(a) for server in x.lab.servers for a in x.lab.topology.addresses[server.name]]
        with x.phase("ping"):
            answered = {address: answers(alice, address) for address in (bob.IP(), *servers, UNUSED)}

        x.check("bob answers", expected=1, observed=answered[bob.IP()], source="one LAN: no NAT is in between")
        x.check(
            "addresses of servers that answer",
            expected=len(servers),
            observed=sum(answered[address] for address in servers),
            source="RFC 5508 REQ-1: a NAT translates ICMP queries",
        )
        x.check("an address without a host answers", expected=0, observed=answered[UNUSED], source="arithmetic")
        x.agrees("mappings made", len(servers) + 1, "port_mapping_creations", of=x.counters("icmp"))
        x.account()
        x.tell(answered=answered, unused=UNUSED)


def answers(host: Any, address: str) -> int:
    """Return 1 if an address answers a ping from a host, else 0."""
    return int(" 1 received" in host.cmd(f"ping -c 1 -W 2 {address}"))
