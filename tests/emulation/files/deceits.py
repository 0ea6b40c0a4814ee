"""Every deceit of the relay in one lab, one after the other, and the checks that each of them turns red."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from testbed.api import Experiment, Opening, Parameters, Scenario
from testbed.evidence import train
from testbed.evidence.taps import Sample
from testbed.experiment import frames
from testbed.experiment.expectations import met

ATTEMPTS = 8


class DeceitParameters(Parameters):
    """What is told to the relay, and over which protocol."""

    deceits: str = Field("honest", description="names of deceits, with spaces")
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")


class Deceits(Scenario[DeceitParameters]):
    """Which checks does each deceit turn red?"""

    settings = {"ports": 1024}

    def run(self, x: Experiment[DeceitParameters]) -> None:
        """For each deceit make a few connections, and examine the packets; then be honest again."""
        gateway: Any = x.lab.gateway
        hosts = [host.netns for host in (*x.lab.clients, *x.lab.servers)]
        servers, clients = x.lab.serve(x.protocol, capacity=1024), x.lab.drive(x.protocol, attempts=1024)
        found, first, several, train.FRAMES = {}, 1, frames.TRAINS, 64
        for deceit in x.parameters.deceits.split():
            gateway.lie(deceit)
            frames.TRAINS = several if deceit == "honest" else 1
            x.lab.sample = Sample(hosts)
            openings = [
                Opening(number, number % len(x.lab.clients), servers.targets[0])
                for number in range(first, first + ATTEMPTS)
            ]
            first += ATTEMPTS
            clients.open(openings, patience=3.0, first_window=2, window=8, progress=lambda done: None)
            seen = frames.examine(x.lab)
            found[deceit] = {
                "red": sorted(c.key for c in frames.checks(seen) if not met(c.expected, c.observed)),
                "too_busy": seen.too_busy,
                **seen.series,
            }
        frames.TRAINS = several
        gateway.lie("honest")
        x.lab.sample = Sample(hosts)
        x.series(deceits=found)
        tried = len(x.parameters.deceits.split())
        x.check("every deceit was tried", expected=tried, observed=len(found), source="this test")
        x.account()
