"""What a gateway's own counters, the second witness, have to say of a pool that was filled twice."""

from __future__ import annotations

from typing import Any

from scenarios.shared.checks import check_refused_packets
from scenarios.shared.filling import Filled
from testbed.api import Counters, Experiment, at_least, at_most, between

CACHED_PACKETS = 4
"""Packets of a connection for which the switch's cache may still have the rules of its port's last owner."""


def check_counters(
    at_full: Counters, counters: Counters, first: Filled, second: Filled, x: Experiment[Any]
) -> None:
    """Check that the gateway's own counters, the second witness, agree."""
    established = len(first.established) + len(second.established)
    evicted = max(0, len(first.established) - x.promise.capacity)
    in_all = counters.get("evicted_mappings") or 0
    late = x.judge.let_through_late([*first, *second])
    full = len(first.established) - evicted
    x.agrees("ports allocated when full", between(full, full + late), "ports_allocated", of=at_full)
    if not in_all:
        made = established + (counters.get("dropped_flow_table_packets") or 0)
        x.agrees("mappings made in both fills", between(made, made + late), "port_mapping_creations", of=counters)
    x.agrees("mappings evicted when all were made", evicted, "evicted_mappings", of=at_full)
    check_refused_packets(first, at_full, x, late=late)
    if x.promise.holds:
        refused = len(first) - len(first.established)
        x.agrees("packets held of the refused attempts", at_least(refused), "held_packets", of=at_full)
    # If a port changes hands at once, the switch's cache has the old owner's rules for some more packets.
    few = at_most(16 + established // 50 + CACHED_PACKETS * in_all)
    x.agrees("packets of known mappings that needed the controller", few, "packet_ins_known_mappings", of=counters)
