"""What leaves the controller besides OpenFlow: gauges and counters, as lines of JSON on a socket.

The controller writes `{"listening": true}`, then `{"ready": true, ...}` when the switch holds the base rules. It
writes gauges ten times a second, among them the ports of each external address. To a line `{"id": N}` it answers
with gauges that have the same `id`. What else can be asked, or ordered, is in `asking`. Names are those of RFC
8512, for each protocol. When the other end closes, the controller ends.

After a line `{"record": PLAN}` it also writes what happened to ports, in the same line as the gauges.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import json
import socket
from collections.abc import Iterator
from typing import Any

from controller.nat.model import Limit, Protocol
from controller.nat.pool import Usage
from controller.openflow.router import Router
from controller.openflow.rules import Stopped
from controller.recording import Batch

GAUGES_EVERY_S = 0.1
MOST_ADDRESSES = 16
"""With more external addresses than this, their ports are summed up."""
QUOTAS = [limit for limit in Limit if limit not in (Limit.PORTS, Limit.POOL)]
"""The limits that a user has set, or that a switch has. Their events are RFC 8158's "quota exceeded"."""


class Telemetry:
    """The controller's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, **record: Any) -> None:
        """Write one record as a line of JSON."""
        self._connection.sendall(json.dumps(record).encode() + b"\n")

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield each request, until the other end closes."""
        with self._connection.makefile("r") as lines:
            for line in lines:
                yield json.loads(line)


def recorded(batch: Batch) -> dict[str, Any]:
    """Return the events since the last time, packed, the number of those that were missed, and new subscribers."""
    events, missed, subscribers = batch.take()
    return {"events": base64.b64encode(events).decode(), "missed": missed, "subscribers": subscribers}


def gauges(router: Router) -> dict[str, Any]:
    """Return a router's gauges now: a table for each protocol, and what concerns all protocols."""
    nat, reached = router.nat, router.following.limits_reached
    drops, neighbours = router.drops, router.neighbours
    return {
        **{protocol.name.lower(): _of_protocol(router, protocol) for protocol in Protocol},
        "addresses": dict(_by_address(router)),
        "total_sessions": nat.total_sessions,
        "total_active_subscribers": len(nat.limits.subscribers),
        "packet_ins_known_mappings": router.packet_ins_known_mappings,
        "dropped_martian_packets": drops.by_rules(Stopped.MARTIAN),
        "dropped_spoofed_packets": drops.by_rules(Stopped.SPOOFED),
        "dropped_invalid_packets": drops.invalid,
        "dropped_expired_packets": drops.expired,
        "dropped_unrouted_packets": drops.unrouted,
        "dropped_unresolved_packets": neighbours.dropped,
        "ignored_arp_messages": neighbours.ignored,
        "neighbours": len(neighbours),
        "icmp_errors_sent": router.errors.sent,
        "fragments_waiting": router.reassembly.waiting,
        "dropped_fragments": router.reassembly.dropped,
        "dropped_protocol_packets": drops.untranslated + drops.by_rules(Stopped.PROTOCOL),
        "nat_addresses_exhausted": reached[Limit.POOL],
        "nat_ports_exhausted": reached[Limit.PORTS],
        **{f"quota_exceeded_{limit.name.lower()}": reached[limit] for limit in QUOTAS},
        "quota_exceeded_fragments": router.reassembly.times_full,
        "threshold_reached": router.following.thresholds_reached,
    }


def _by_address(router: Router) -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """Yield each external address, and its ports of each protocol: allocated, free, resting, held down."""
    pool = router.nat.pool
    usages = {protocol.name.lower(): dict(pool.usages(protocol)) for protocol in Protocol}
    addresses = list(usages["tcp"])
    if len(addresses) > MOST_ADDRESSES:
        summed = {protocol: sum(each.values(), Usage()) for protocol, each in usages.items()}
        yield f"{len(addresses)} addresses", {name: dataclasses.astuple(usage) for name, usage in summed.items()}
        return
    for address in addresses:
        of_address = {name: dataclasses.astuple(each[address]) for name, each in usages.items()}
        yield str(ipaddress.IPv4Address(address)), of_address


def _of_protocol(router: Router, protocol: Protocol) -> dict[str, int]:
    usage = router.nat.pool.usage(protocol)
    return {
        "ports_allocated": usage.allocated,
        "ports_free": usage.free,
        "ports_resting": usage.resting,
        "ports_in_hold_down": usage.held_down,
        "total_port_mappings": usage.allocated,
        **dataclasses.asdict(router.nat.counters[protocol]),
    }
