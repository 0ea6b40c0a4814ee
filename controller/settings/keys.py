"""Every setting by its key: default, bounds, description and source.

A setting is complete with its declaration here. What settings mean together is in `controller.settings.settings`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.settings.biting import Bites
from controller.settings.ports import ALLOWED, FIRST_PORT, MOST_PORTS
from controller.settings.values import (
    FIRST_EXTERNAL_ADDRESS,
    ICMP_CODES,
    LONGEST_S,
    MOST_EXTERNAL_ADDRESSES,
    MOST_HELD_PACKETS,
    MOST_OF_ANYTHING,
    MOST_PER_SECOND,
    SECONDS,
    Addresses,
    AllocatorName,
    Destinations,
    IcmpCode,
    Off,
    PolicyName,
    PoolingName,
    PoolPorts,
    PortRanges,
    StaticMappings,
    described,
    held_down,
    limit,
    seconds,
)


class Keys(BaseModel):
    """The settings, each by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # Behaviour

    mapping_type: Literal["eim", "adm", "edm"] = described(
        "eim",
        "the part of the destination that a mapping depends on: nothing, its address, or its address and port",
        source="RFC 4787 REQ-1, RFC 8512 mapping-type",
    )
    filtering_type: Literal["eif", "adf", "edf"] = described(
        "eif",
        "the outside hosts that may send to a mapping: all, addresses that it has sent to, or addresses and ports",
        source="RFC 4787 REQ-8, RFC 8512 filtering-type",
    )
    port_overlapping: Annotated[Literal["off", "address", "endpoint"], Off] = described(
        "off",
        "when mappings may share an external port: never, toward different addresses, or different endpoints",
        source="RFC 7857 section 3",
    )

    port_overlapping_udp: Annotated[Literal["off", "address"] | None, Off] = described(
        None,
        "the same for UDP where it shares ports less than TCP: never, or toward different addresses; null: as TCP",
        source="documented of cloud NATs",
    )
    late_reset: Annotated[Literal["off", "inside", "both"], Off] = described(
        "off",
        "the senders that get a TCP reset for a segment of a connection that the NAT no longer has: none, inside "
        "hosts, or those of both sides",
        source="RFC 9293 section 3.10.7.1; documented of cloud NATs",
    )
    source_validation: bool = described(
        True,
        "whether an inside host may send only from its own addresses, at its own port of the LAN",
        source="RFC 2827, RFC 7513",
        strict=True,
    )

    log: Annotated[Literal["off", "mappings", "blocks"], Off] = described(
        "off",
        "the log that is kept beside the results, for `lastport who`: of every mapping, or of port blocks that "
        "change hands",
        source="RFC 6888 REQ-12, REQ-14",
    )

    # The pool

    ports: PoolPorts = described(
        MOST_PORTS,
        f"ports of each external address and protocol: a number from {FIRST_PORT} upward, ranges, or a PSID",
        source="RFC 8512 port-set-restrict, RFC 7597 section 5.1",
        unit="ports",
        allowed=ALLOWED,
    )
    reserved_ports: PortRanges = described(
        [],
        "ports of the external addresses that belong to the gateway's own services, so that no mapping gets one, "
        "such as `[1701, 4500-4510]`",
        source="RFC 5382 section 4.3",
        allowed="a list of ports and ranges",
    )
    external_addresses: Addresses = described(
        [FIRST_EXTERNAL_ADDRESS],
        f"the number of external addresses ({FIRST_EXTERNAL_ADDRESS} and up), or a list of them",
        source="RFC 8512 external-ip-address-pool",
        allowed=f"1 to {MOST_EXTERNAL_ADDRESSES}, or a list of addresses",
    )
    address_allocation_type: PoolingName = described(
        "paired",
        "the pooling: which external addresses the mappings of a subscriber may use",
        source="RFC 4787 REQ-2, RFC 7857 section 4, RFC 8512 address-allocation-type",
        allowed=list(POOLINGS),
    )
    port_allocation_type: AllocatorName = described(
        "random",
        "the allocator: which free port a new mapping gets; or FILE.py:Class",
        source="RFC 6056, RFC 8512 port-allocation-type",
        allowed=list(ALLOCATORS),
    )
    port_set_size: int = described(
        512,
        "ports of one block, for the allocator blocks",
        source="RFC 8512 port-set-size",
        unit="ports",
        strict=True,
        ge=1,
        le=MOST_PORTS,
        bites=Bites.BLOCKS,
    )
    port_set_timeout: float = seconds(
        60,
        "idle time after which a block may be given to another subscriber",
        source="RFC 8512 port-set-timeout",
        bites=Bites.BLOCKS,
    )

    subscriber_ports: int | None = limit(
        "ports that are reserved for a subscriber when it first needs one, for every protocol and destination, "
        "until they were idle for port_set_timeout",
        source="RFC 7422; documented of cloud NATs",
        unit="ports",
        bites=Bites.OWN_PORTS,
    )
    subscriber_ports_max: int | None = described(
        None,
        "ports up to which those of a subscriber double, again and again, if it needs more; null: they never do",
        source="documented of cloud NATs",
        unit="ports",
        strict=True,
        ge=2,
        le=1 << 16,
    )
    subscriber_ports_threshold: float = described(
        100,
        "share of its ports that a subscriber uses toward one destination when they are to double",
        source="lastport: no cloud provider publishes one",
        unit="%",
        strict=True,
        gt=0,
        le=100,
    )
    subscriber_ports_delay: float = described(
        0,
        "time that the doubling of a subscriber's ports takes",
        source="lastport: no cloud provider publishes one",
        unit=SECONDS,
        strict=True,
        ge=0,
        le=LONGEST_S,
    )

    static_mappings: StaticMappings = described(
        [],
        "mappings that are there from the start and never end, such as `tcp 192.0.2.1:8080 10.0.0.1:80`: the "
        "external endpoint, and the inside one that everybody reaches by it",
        source="RFC 8512 mapping-entry, type static",
        allowed="a list of: tcp or udp, external endpoint, internal endpoint",
        bites=Bites.POOL,
    )
    untranslated_destinations: Destinations = described(
        [],
        "networks outside to and from which packets pass untranslated, such as `198.51.100.0/24`",
        source="RFC 6888 REQ-6",
        allowed="a list of networks",
        bites=Bites.TRANSLATION,
    )

    # Limits

    port_quota: int | None = limit(
        "ports that a subscriber may have",
        source="RFC 6888 REQ-4, RFC 8512 port-quota",
        unit="ports",
        bites=Bites.SUBSCRIBER,
    )
    port_quota_tcp: int | None = limit(
        "ports that a subscriber may have for TCP",
        source="RFC 6888 REQ-4, RFC 8512 port-quota",
        unit="ports",
        bites=Bites.SUBSCRIBER,
    )
    port_quota_udp: int | None = limit(
        "ports that a subscriber may have for UDP",
        source="RFC 6888 REQ-4, RFC 8512 port-quota",
        unit="ports",
        bites=Bites.SUBSCRIBER,
    )
    port_quota_icmp: int | None = limit(
        "identifiers that a subscriber may have for ICMP",
        source="RFC 6888 REQ-4, RFC 8512 port-quota",
        unit="ports",
        bites=Bites.SUBSCRIBER,
    )
    limit_port_mappings: int | None = limit(
        "mappings of all subscribers", source="RFC 8512 limit-port-mappings", unit="mappings", bites=Bites.ALL
    )
    limit_sessions: int | None = limit(
        "sessions of all subscribers",
        source="RFC 6888 REQ-5, RFC 8158 maxSessionEntries",
        unit="sessions",
        bites=Bites.ALL,
    )
    limit_sessions_per_destination: int | None = limit(
        "sessions of each external address with one destination (address, port and protocol)",
        source="lastport; documented of cloud NATs",
        unit="sessions",
        bites=Bites.DESTINATION,
    )
    limit_unanswered_inbound_sessions: int = described(
        1024,
        "sessions that outside hosts have opened and no inside host has answered; each mapping may have an eighth "
        "of them; with one more, the oldest ends",
        source="RFC 6888 REQ-5, RFC 7857 section 7",
        unit="sessions",
        strict=True,
        ge=1,
        le=MOST_OF_ANYTHING,
    )
    limit_subscribers: int | None = limit(
        "subscribers that have mappings",
        source="RFC 8512 limit-subscribers",
        unit="subscribers",
        bites=Bites.SUBSCRIBERS,
    )
    new_mapping_rate_per_subscriber: float | None = described(
        None,
        "mappings that a subscriber may make in a second; null: no limit",
        source="RFC 6888 REQ-4C, RFC 8512 connection-limits",
        unit="mappings/s",
        strict=True,
        gt=0,
        le=MOST_PER_SECOND,
        bites=Bites.RATE,
    )
    flow_limit: int | None = limit(
        "rules for mappings that each NAT table of the switch may hold",
        source="Open vSwitch Flow_Table flow_limit",
        unit="rules",
        bites=Bites.ALL,
    )
    fragments_limit: int = described(
        4096,
        "fragments that may wait at once for the rest of their packets; with one more, the packet that has waited "
        "longest is dropped",
        source="RFC 8512 fragments-limit, RFC 7659 natv2InstanceLimitPendingFragments",
        unit="fragments",
        strict=True,
        ge=0,
        le=MOST_HELD_PACKETS,
    )
    pool_usage_low: float = described(
        60,
        "share of the pool at which its usage counts as low again, after it was high",
        source="RFC 8512 notify-pool-usage",
        unit="%",
        strict=True,
        ge=0,
        le=100,
    )
    pool_usage_high: float = described(
        88,
        "share of the pool at which its usage counts as high",
        source="RFC 8512 notify-pool-usage, RFC 7659 section 5.1",
        unit="%",
        strict=True,
        gt=0,
        le=100,
    )

    # Running out

    on_exhaustion: PolicyName = described(
        "drop",
        "the policy: what becomes of a packet that cannot get what it needs; or FILE.py:Class",
        source="RFC 6888 REQ-11, RFC 5508 REQ-8",
        allowed=list(POLICIES),
    )
    icmp_code: IcmpCode = described(
        13,
        "code of the ICMP errors: 13 (administratively prohibited) or 1 (host unreachable)",
        source="RFC 5508 REQ-8 (13), RFC 6888 REQ-11B (1)",
        allowed=list(ICMP_CODES),
        strict=True,
    )
    icmp_rate: float = described(
        1000,
        "ICMP errors that may be sent in a second, on average, to each port of the gateway",
        source="RFC 1812 section 4.3.2.8",
        unit="messages/s",
        strict=True,
        gt=0,
        le=MOST_PER_SECOND,
        bites=Bites.ERRORS,
    )
    hold_timeout: float = seconds(
        0.8,
        "the longest that a packet is held; the default is less than the time until TCP sends a SYN again",
        source="lastport, RFC 6298 section 2",
    )
    hold_queue: int = described(
        4096,
        "packets that may be held at once",
        source="lastport",
        unit="packets",
        strict=True,
        ge=1,
        le=MOST_HELD_PACKETS,
        bites=Bites.WAITING,
    )
    evict_only_idle_for: float = described(
        0,
        "idle time before which evict-lru ends no mapping; if it may end none, the fallback applies",
        source="lastport, RFC 6888 REQ-11D",
        unit=SECONDS,
        strict=True,
        ge=0,
        le=LONGEST_S,
        bites=Bites.VICTIMS,
    )
    fallback: Literal["drop", "icmp", "reset"] = described(
        "drop", "what becomes of a packet for which holding or evicting did not help", source="lastport"
    )

    # Timers

    udp_timeout: float = seconds(
        300, "idle time after which a UDP mapping ends", source="RFC 4787 REQ-5", bites=Bites.IDLE
    )
    icmp_timeout: float = seconds(
        60, "idle time after which an ICMP query mapping ends", source="RFC 5508 REQ-2", bites=Bites.IDLE
    )
    tcp_idle_timeout: float = seconds(
        7440, "idle time after which an established TCP connection ends", source="RFC 5382 REQ-5", bites=Bites.IDLE
    )
    tcp_in_syn_timeout: float | None = described(
        6,
        "time after which a SYN from outside that is not let in is answered by an ICMP error; null: never",
        source="RFC 5382 REQ-4, RFC 8512 tcp-in-syn-timeout",
        unit=SECONDS,
        strict=True,
        gt=0,
        le=LONGEST_S,
    )
    tcp_trans_open_timeout: float = seconds(
        240,
        "time within which a TCP connection must be answered",
        source="RFC 5382 REQ-5, RFC 7857 section 2.1",
        bites=Bites.OPENING,
    )
    tcp_trans_close_timeout: float = seconds(
        240,
        "time that a TCP connection is kept after the FINs of both sides",
        source="RFC 5382 REQ-5, RFC 7857 section 2.1",
        bites=Bites.RETURN,
    )
    tcp_rst_timeout: float = seconds(
        240, "time that a TCP connection is kept after a RST", source="RFC 7857 section 2.2", bites=Bites.RETURN
    )
    fragment_min_timeout: float = seconds(
        15,
        "time that a packet's fragments wait for the rest",
        source="RFC 8512 fragment-min-timeout, RFC 791 section 3.2",
    )
    hold_down_timeout: float = described(
        120,
        "time for which a freed port is not given again",
        source="RFC 6888 REQ-8",
        unit=SECONDS,
        strict=True,
        ge=0,
        le=LONGEST_S,
        bites=Bites.RETURN,
    )
    hold_down_fin_timeout: float | None = held_down("a connection that both sides have ended by a FIN")
    hold_down_rst_timeout: float | None = held_down("a connection that a RST has ended")
    hold_down_idle_timeout: float | None = held_down(
        "a mapping that was idle, of any protocol, or a connection that was never answered"
    )
    hold_down_max: int | None = limit(
        "ports of each protocol that may be held down at once; with more of them, the oldest leaves early",
        source="RFC 6888 REQ-8, RFC 8512 hold-down-max",
        unit="ports",
        least=0,
        bites=Bites.RETURN,
    )
    refresh_inbound: bool = described(
        False,
        "whether packets from outside keep a mapping alive, too",
        source="RFC 4787 REQ-6A",
        strict=True,
    )
    time_scale: float = described(
        1, "the factor that multiplies every timer", source="lastport", unit="1", strict=True, gt=0, le=1000
    )


SECTIONS = {
    "mapping_type": "Behaviour",
    "ports": "The pool",
    "port_quota": "Limits",
    "on_exhaustion": "Running out",
    "udp_timeout": "Timers",
}
"""The sections above, each by its first key, for lists of the settings."""

MARKS: dict[str, Bites] = {
    key: field.json_schema_extra["bites"]  # type: ignore[misc]
    for key, field in Keys.model_fields.items()
    if isinstance(field.json_schema_extra, dict) and "bites" in field.json_schema_extra
}
"""What each limit and timer may stop, by its key."""
