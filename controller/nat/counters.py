"""What the NAT counts, by the names of RFC 8512 (in snake_case), and a few of our own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts of one protocol since the start."""

    port_mapping_creations: int = 0
    """Mappings made (RFC 7659 natv2ProtocolPortMapCreations)."""
    dropped_port_packets: int = 0
    """Packets that would have made a mapping, and found no free port."""
    dropped_unmapped_packets: int = 0
    """Packets that belong to no mapping and may not make one: inbound ones, or TCP without SYN (ours)."""
    dropped_flow_table_packets: int = 0
    """Mappings undone because the switch refused their rules (ours)."""
