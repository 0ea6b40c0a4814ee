"""A scenario as a student may write it: who can be pinged from inside?

Set-up        the home network
Action        alice pings everyone whom she should reach, and one whom nobody has
Expectation   the gateway, her neighbour and every address of the servers answer; the last does not
"""

from __future__ import annotations

from typing import Any

from controller.settings import Settings
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, Scenario


class Ping(Scenario):
    """Who can be pinged from inside?"""

    name = "ping"
    claim = "a NAT translates queries as well (RFC 5508 REQ-1)"

    def run(self, lab: Lab, parameters: Parameters, settings: Settings, report: Report) -> None:
        """Ping them all."""
        alice, bob = lab.clients[:2]
        servers = [address for server in lab.servers for address in lab.topology.addresses[server.name]]
        reachable = {"gateway": "10.0.255.254", "bob": bob.IP(), **{str(a): str(a) for a in servers}}
        with report.phase("ping"):
            for name, address in reachable.items():
                report.check(
                    f"{name} answers", expected=1, observed=answers(alice, address), source="RFC 5508 REQ-1"
                )
            report.check(
                "nobody answers", expected=0, observed=answers(alice, "198.51.100.99"), source="arithmetic"
            )
        counters = lab.gateway.counters("icmp")
        report.counters(counters)
        report.check(
            "all of alice's queries to the servers are mapped, each ping with an identifier of its own",
            expected=len(servers) + 1,
            observed=counters["port_mapping_creations"],
            source="RFC 5508 REQ-1a",
        )


def answers(host: Any, address: str) -> int:
    """How many of one ping come back."""
    return int(" 1 received" in host.cmd(f"ping -c 1 -W 2 {address}"))
