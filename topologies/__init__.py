"""What the network is: declarative Mininet topologies, buildable without root.

A topology is a drawing, an address plan and a `build()`. Scenarios see only its roles: the clients inside,
the servers outside, and the gateway between them, or several. To add one: one file, and one line in TOPOLOGIES.
"""

from __future__ import annotations

from topologies.base import LabTopology
from topologies.campus import Campus
from topologies.carrier import Carrier
from topologies.home import Home
from topologies.multi_address import MultiAddress
from topologies.two_homes import TwoHomes

TOPOLOGIES: dict[str, type[LabTopology]] = {
    "home": Home,
    "two-homes": TwoHomes,
    "carrier": Carrier,
    "campus": Campus,
    "multi-address": MultiAddress,
}
"""By the names of the option `--topology`."""
