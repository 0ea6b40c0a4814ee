"""What the network is: declarative Mininet topologies, buildable without root.

A topology is a drawing, an address plan and a `build()`. Scenarios see only its roles: the clients inside,
the servers outside, and the gateway between them. To add one: one file, and one line in TOPOLOGIES.
"""

from __future__ import annotations

from topologies.base import LabTopology
from topologies.home import Home

TOPOLOGIES: dict[str, type[LabTopology]] = {
    "home": Home,
}
"""By the names of the option `--topology`."""
