"""What the NAT counts, by the names of RFC 8512 (in snake_case), and a few of our own.

A packet that a limit stopped is counted once, by that limit (`Limit` has the names).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts of one protocol since the start."""

    port_mapping_creations: int = 0
    """Mappings made (RFC 7659 natv2ProtocolPortMapCreations)."""
    evicted_mappings: int = 0
    """Mappings that were ended to make room for others (ours)."""
    evicted_unanswered_sessions: int = 0
    """Strangers' sessions without an answer that were ended to make room for others (ours)."""
    dropped_port_packets: int = 0
    """Packets for which no port was free at the one address that would do (RFC 8512)."""
    dropped_address_packets: int = 0
    """Packets for which no port was free at any address (RFC 8512)."""
    dropped_port_limit_packets: int = 0
    """Packets of subscribers at their quota (RFC 8512, RFC 6888 REQ-4)."""
    dropped_subscriber_port_packets: int = 0
    """Packets of subscribers of whose own ports none was free toward the destination (ours)."""
    dropped_reservation_packets: int = 0
    """Packets of subscribers for which no ports could be reserved (ours)."""
    dropped_subscriber_limit_packets: int = 0
    """Packets of a subscriber beyond the limit of subscribers (RFC 8512)."""
    dropped_mapping_limit_packets: int = 0
    """Packets that would have made a mapping beyond the limit (RFC 7659 natv2InstancePortMapEntryLimitDrops)."""
    dropped_state_limit_packets: int = 0
    """Packets that would have made a session beyond the limit (ours)."""
    dropped_destination_limit_packets: int = 0
    """Packets that would have made a session beyond the limit of their destination (ours)."""
    dropped_rate_packets: int = 0
    """Packets of subscribers that make mappings too fast (ours, RFC 6888 REQ-4C)."""
    dropped_flow_table_packets: int = 0
    """Packets whose rules the switch refused (ours)."""
    dropped_hold_packets: int = 0
    """Packets that could not be held, since the queue was full (ours)."""
    dropped_unmapped_packets: int = 0
    """Packets that belong to no mapping and may not make one: inbound ones, or TCP without SYN (ours)."""
    dropped_filtered_packets: int = 0
    """Inbound packets that the filtering behaviour keeps out (ours)."""
    held_packets: int = 0
    """Packets that were held, whatever became of them (ours)."""
    icmp_sent: int = 0
    """ICMP errors sent to the senders of refused packets, and of unsolicited SYNs (ours)."""
    late_resets_sent: int = 0
    """TCP resets sent to the senders of segments of connections that the NAT does not have (ours)."""
    resets_sent: int = 0
    """TCP resets sent to the senders of refused packets (ours)."""
