"""The NATs that are measured: the gateway of each, by the name that rows have."""

from __future__ import annotations

from pathlib import Path

GATEWAYS_FILE = Path(__file__).with_name("reference") / "gateways.py"

NATS = {
    "textbook": f"{GATEWAYS_FILE}:Textbook",
    "openflow": "openflow",
    "ceiling": f"{GATEWAYS_FILE}:Ceiling",
    "ovs-ct": "ovs-ct",
    "netfilter": "netfilter",
}
"""The gateway that each name stands for. Our own is measured between the two that it is compared with."""
