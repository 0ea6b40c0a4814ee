"""The NATs under test, as Mininet nodes. To add one: one file, and one line in GATEWAYS."""

from __future__ import annotations

from topologies.gateways.base import Gateway
from topologies.gateways.netfilter import NetfilterGateway
from topologies.gateways.openflow import OpenFlowGateway
from topologies.gateways.ovs_ct import OvsCtGateway

GATEWAYS: dict[str, type[Gateway]] = {
    "openflow": OpenFlowGateway,
    "ovs-ct": OvsCtGateway,
    "netfilter": NetfilterGateway,
}
"""By the names of the option `--gateway`."""
