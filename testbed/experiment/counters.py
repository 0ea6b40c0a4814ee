"""A gateway's counters by their names, each with its source. They are the second witness, which never decides."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

from testbed.sandbox.slowness import patient
from topologies.gateways.base import Gateway

Counters = Mapping[str, int | None]
"""A gateway's counters by their names. What the gateway does not know is None, or not there."""

AGREES = "the gateway agrees: "
"""The beginning of the claim of each check of a counter."""
SETTLED_WITHIN_S = 1.0
"""Seconds in which nothing more is dropped or given back, after which what is missing will not come."""
MOVING_WITHIN_S = 30.0
"""Seconds after which they are taken as they are, even if they still move."""
LOOK_EVERY_S = 0.05

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "ports_allocated": "RFC 8512 ports-allocated",
        "ports_free": "RFC 8512 ports-free",
        "ports_resting": "lastport: freed ports that rest before they are given again",
        "ports_in_hold_down": "RFC 6888 REQ-8: freed ports that are held down",
        "total_port_mappings": "RFC 8512 total-port-mappings",
        "total_sessions": "RFC 8512 total-sessions, RFC 8158 maxSessionEntries",
        "total_active_subscribers": "RFC 8512 total-active-subscribers",
        "port_mapping_creations": "RFC 7659 natv2ProtocolPortMapCreations",
        "evicted_mappings": "lastport: mappings that were evicted for others; RFC 6888 REQ-11D",
        "evicted_unanswered_sessions": "lastport: strangers' sessions without an answer that made room for others",
        "held_packets": "lastport: packets that were held, by on_exhaustion=hold",
        "dropped_port_packets": "RFC 8512 dropped-port-packets",
        "dropped_address_packets": "RFC 8512 dropped-address-packets",
        "dropped_port_limit_packets": "RFC 8512 dropped-port-limit-packets",
        "dropped_subscriber_limit_packets": "RFC 8512 dropped-subscriber-limit-packets",
        "dropped_mapping_limit_packets": "RFC 7659 natv2InstancePortMapEntryLimitDrops",
        "dropped_state_limit_packets": "lastport: packets that found no room for a session",
        "dropped_subscriber_port_packets": "lastport: packets that found none of their subscriber's own ports",
        "dropped_reservation_packets": "lastport: packets of subscribers for which no ports could be reserved",
        "dropped_destination_limit_packets": "lastport: packets beyond the limit of their destination",
        "dropped_rate_packets": "lastport: packets of subscribers at their rate; RFC 6888 REQ-4C",
        "dropped_flow_table_packets": "OpenFlow 1.3, OFPFMFC_TABLE_FULL: packets whose rules the switch refused",
        "dropped_hold_packets": "lastport: packets that could not be held",
        "dropped_unmapped_packets": "lastport: packets that belong to no mapping and may not make one",
        "dropped_filtered_packets": "RFC 4787 REQ-8: packets that the filtering behaviour keeps out",
        "dropped_martian_packets": "RFC 1812 section 5.3.7: packets from or to an address that no host has",
        "dropped_spoofed_packets": "RFC 2827: packets from a source that is not on that side or at that port",
        "dropped_invalid_packets": "RFC 1812 section 5.2.2: packets with a wrong checksum, version or length",
        "dropped_expired_packets": "RFC 1812 section 5.3.1: packets whose TTL was used up",
        "dropped_unrouted_packets": "RFC 4293 ipSystemStatsInNoRoutes: packets without a route",
        "dropped_unresolved_packets": "lastport: packets whose next hop did not answer by ARP",
        "ignored_arp_messages": "lastport: ARP messages that were not believed",
        "neighbours": "lastport: hosts whose MAC address is known",
        "fragments_waiting": "lastport: fragments that wait for the rest of their packets",
        "dropped_fragments": "RFC 8512 dropped-fragments, RFC 7659 natv2InstanceFragmentDrops",
        "icmp_errors_sent": "RFC 1812 section 4.3.3: ICMP errors sent about packets that could not be forwarded",
        "dropped_protocol_packets": "lastport: packets of protocols that are not translated",
        "icmp_sent": "RFC 5508 REQ-8, RFC 5382 REQ-4: ICMP errors sent about refused packets and unsolicited SYNs",
        "late_resets_sent": "lastport: TCP resets for segments of connections that are over; late_reset",
        "resets_sent": "lastport: TCP resets sent to the senders of refused packets",
        "packet_ins_known_mappings": "lastport: packets of known mappings that needed the controller",
        "nat_addresses_exhausted": "RFC 8512 notify: addresses exhausted",
        "nat_ports_exhausted": "RFC 8512 notify: ports exhausted",
        "quota_exceeded_subscribers": "RFC 8158 quota exceeded: subscribers",
        "quota_exceeded_quota": "RFC 8158 quota exceeded: ports of a subscriber",
        "quota_exceeded_rate": "RFC 8158 quota exceeded: mappings of a subscriber in a second",
        "quota_exceeded_mappings": "RFC 8158 quota exceeded: mappings",
        "quota_exceeded_sessions": "RFC 8158 quota exceeded: sessions",
        "quota_exceeded_subscriber_ports": "RFC 8158 quota exceeded: a subscriber's own ports",
        "quota_exceeded_reservation": "RFC 8158 quota exceeded: ports for another subscriber",
        "quota_exceeded_destination": "RFC 8158 quota exceeded: sessions with a destination",
        "quota_exceeded_flow_table": "RFC 8158 quota exceeded: rules of the switch",
        "quota_exceeded_hold_queue": "RFC 8158 quota exceeded: packets held",
        "quota_exceeded_fragments": "RFC 8158 quota exceeded: fragments pending reassembly",
        "threshold_reached": "RFC 8512 notify-pool-usage",
    }
)
"""Every counter that a scenario may ask for, with the source of its name or its meaning."""

DROPPED = (
    "dropped_port_packets",
    "dropped_address_packets",
    "dropped_port_limit_packets",
    "dropped_subscriber_limit_packets",
    "dropped_mapping_limit_packets",
    "dropped_state_limit_packets",
    "dropped_destination_limit_packets",
    "dropped_subscriber_port_packets",
    "dropped_reservation_packets",
    "dropped_rate_packets",
    "dropped_flow_table_packets",
    "dropped_hold_packets",
)
"""The counters of packets that some limit stopped."""


def dropped(counters: Counters) -> int:
    """Return the number of packets that some limit stopped, as far as the gateway knows."""
    return sum(counters.get(name) or 0 for name in DROPPED)


def settled(gateway: Gateway, protocol: str, *, dropping: int, allocated: int | None = None) -> Counters:
    """Return the gateway's counters once it has dropped `dropping` packets, the last of which may just be sent.

    `allocated` is the number of ports that must be allocated by then, where the gateway may still take some back.
    A slow gateway is waited for as long as its counters move.
    """
    started = moved_at = time.monotonic()
    before: tuple[int, int | None] | None = None
    while True:
        counters, now = gateway.counters(protocol), time.monotonic()
        found = dropped(counters), None if allocated is None else counters.get("ports_allocated")
        if found[0] >= dropping and found[1] == allocated:
            return counters
        if found != before:
            moved_at, before = now, found
        if now - moved_at >= patient(SETTLED_WITHIN_S) or now - started >= patient(MOVING_WITHIN_S):
            return counters
        time.sleep(LOOK_EVERY_S)
