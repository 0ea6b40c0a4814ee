"""What every NAT in user space follows of the settings, since its TCP connections are sockets of its kernel's."""

from __future__ import annotations

from typing import Any

from topologies.gateways.base import Restriction
from topologies.gateways.tracking import HARMLESS

REUSE_S = 1.0
"""A host's TCP may use a port again that has been in TIME-WAIT for a second, since tcp_tw_reuse is set in every
namespace of a lab."""
DEFAULTS: dict[str, Any] = {
    "mapping_type": "edm",
    "filtering_type": "edf",
    "port_overlapping": "endpoint",
    "hold_down_timeout": 0,
    "source_validation": False,
    "refresh_inbound": True,
    "tcp_trans_close_timeout": REUSE_S,
    "tcp_rst_timeout": REUSE_S,
}
"""What it does, in the words of the settings."""
LONG_ENOUGH = frozenset({"tcp_idle_timeout", "udp_timeout", "icmp_timeout", "tcp_trans_open_timeout"})
"""Timers that an experiment asks to be long enough. Its own are longer, and no setting changes them."""
FOLLOWED = frozenset({"ports", *LONG_ENOUGH, *HARMLESS})
OF_THE_KERNEL = (
    Restriction("mapping_type", ("edm",), "over TCP each connection has a socket and a port of its own"),
    Restriction("filtering_type", ("edf",), "a connected TCP socket takes what its peer sends"),
    Restriction("port_overlapping", ("endpoint",), "the kernel shares a port whenever the destinations differ"),
)
"""What its kernel decides over TCP."""
