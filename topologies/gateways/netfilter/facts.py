"""What Linux's NAT can follow of the settings, and what it does by itself: data, each fact with its source.

Linux has a table of connections (conntrack), and none of mappings. Three things follow:

- It gives a port for each connection. So quotas count connections, without TCP's closed ones (nf_conncount.c:
  already_closed). A limit of mappings or of subscribers has nothing to count.
- Only the endpoint that was asked may answer: the filtering depends on address and port.
- A mapping looks endpoint-independent until another host uses its port (nf_nat_core.c: find_appropriate_src), and
  then splits. What can be promised is `edm`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.settings import ConfigurationError, Settings
from topologies.gateways import linux
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import UNDECLARED, Behaviour, Entry, Exhaustion

HARDER_TRIES = 32
"""nf_nat_core.c, NF_NAT_HARDER_THRESH."""
RESTRICTIONS = (
    *linux.RESTRICTIONS,
    Restriction("address_allocation_type", ("arbitrary", "paired"), "nft knows these two, by `persistent`"),
    Restriction("port_allocation_type", ("preserving", "random", "linux-like"), "nft knows these, by `random`"),
)
"""The settings that Linux and nft follow in part."""

FOLLOWED = linux.FOLLOWED | {
    *("port_quota", "port_quota_tcp", "port_quota_udp", "port_quota_icmp"),
    *("limit_sessions", "new_mapping_rate_per_subscriber"),
}
"""The settings that nft's rules follow as well; `check` refuses the few values that they cannot follow."""

RATE_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

FINDS_ALL_OF = 128
"""Ports that the kernel's search tries in its first round (NF_NAT_MAX_ATTEMPTS)."""

TABLE_SIZE = Path("/proc/sys/net/netfilter/nf_conntrack_max")

_CORE = "Linux, net/netfilter/nf_nat_core.c"
_SINCE = "Linux 5.0 and later"
_IN_TURN = "nft(8), NUMGEN: new connections take the ranges in turn"


@dataclass(frozen=True, slots=True)
class Quota:
    """The connections that each source may have: an nft set of that name counts them."""

    name: str
    limit: int


def quotas(settings: Settings) -> dict[str, Quota]:
    """Return the quotas by what they match in nft: every packet, or those of a protocol."""
    keys = {
        "": "port_quota",
        **{f"meta l4proto {protocol} ": f"port_quota_{protocol}" for protocol in ("tcp", "udp", "icmp")},
    }
    limits = {match: (key, getattr(settings, key)) for match, key in keys.items()}
    return {match: Quota(key, limit) for match, (key, limit) in limits.items() if limit is not None}


def rate(settings: Settings) -> str | None:
    """Return the rate of new connections as nft writes it, with a burst of what a second grants.

    Raises ConfigurationError if it is not a whole number of any unit.
    """
    allowed = settings.new_mapping_rate_per_subscriber
    if allowed is None:
        return None
    for unit, seconds in RATE_UNITS.items():
        if (allowed * seconds).is_integer():
            return f"{int(allowed * seconds)}/{unit} burst {max(1, int(allowed))} packets"
    raise ConfigurationError(
        f"setting new_mapping_rate_per_subscriber={allowed} is not possible with this gateway: nft takes whole "
        f"numbers of packets in a second, minute, hour or day; take new_mapping_rate_per_subscriber="
        f"{max(1, round(allowed))}, or another --gateway"
    )


def behaviour(settings: Settings, timeouts: Mapping[str, int]) -> Behaviour:
    """Return what Linux does under these settings and timers, by its source code."""
    silent = {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"}
    is_random = settings.port_allocation_type == "random"
    is_one_range = isinstance(settings.port_set, range)
    if settings.limit_sessions is None and not quotas(settings):
        full = Entry(
            Exhaustion(silent, evicts="unassured"),
            "Linux, net/netfilter/nf_conntrack_core.c: early_drop, __nf_conntrack_alloc",
            _SINCE,
        )
    else:
        full = Entry(Exhaustion(silent), "nft(8), CT EXPRESSIONS: count", "nftables 0.9.0 and later")
    return Behaviour(
        mapping=Entry(
            "edm" if is_random else "eim",
            f"{_CORE}: get_unique_tuple; find_appropriate_src is for ports that are not random",
            _SINCE,
        )
        if is_one_range
        else Entry("unknown", f"{_IN_TURN}; {_CORE}: find_appropriate_src, where a range comes again", _SINCE),
        filtering=Entry("edf", "Linux, net/netfilter/nf_conntrack_core.c: resolve_normal_ct", _SINCE),
        overlapping=Entry("endpoint", f"{_CORE}: nf_nat_used_tuple", _SINCE),
        pooling=Entry(
            settings.address_allocation_type,
            f"nft(8), NAT STATEMENTS: persistent; {_CORE}: find_best_ips_proto",
            _SINCE,
        ),
        finds_every_port_of=Entry(FINDS_ALL_OF, f"{_CORE}: nf_nat_l4proto_unique_tuple, max_attempts", _SINCE)
        if is_one_range
        else Entry(0, f"{_IN_TURN}, and of one range only is a port searched", _SINCE),
        keeps_source_port=Entry(
            not is_random,
            f"{_CORE}: get_unique_tuple, the original tuple first unless NF_NAT_RANGE_PROTO_RANDOM_ALL",
            _SINCE,
        )
        if is_one_range
        else Entry(None, f"{_IN_TURN}; a source port in the range whose turn it is may be kept", _SINCE),
        fills_every_address=Entry(
            False, f"{_CORE}: find_best_ips_proto, a hash of source and destination, whatever is free", _SINCE
        ),
        ports_exhausted=Entry(
            Exhaustion(silent),
            f"{_CORE}: get_unique_tuple{', nf_nat_used_tuple_harder' if takes_closed() else ''}, "
            "and nf_conntrack_core.c: __nf_conntrack_confirm, which drops the packet",
            "Linux 6.5 and later" if takes_closed() else "Linux 5.0 to 6.4",
        ),
        state_exhausted=full,
        port_back=_port_back(settings, timeouts),
        icmp_identifiers=Entry("pool", f"{_CORE}: nf_nat_l4proto_unique_tuple, IPPROTO_ICMP", _SINCE),
        clashes=Entry(True, "Linux, nf_conntrack_core.c: __nf_conntrack_confirm, insert_failed", _SINCE),
        port_order=Entry("search", f"{_CORE}: nf_nat_l4proto_unique_tuple, get_random_u16", _SINCE)
        if is_one_range
        else UNDECLARED,
    )


def table_size() -> int:
    """Return the number of connections that the kernel's table has room for; 0 if there is no such table yet."""
    return int(TABLE_SIZE.read_text()) if TABLE_SIZE.exists() else 0


def takes_closed() -> bool:
    """Return whether this kernel gives the port of a closed TCP connection to a new one that finds no other."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor)) >= (6, 5)


def _port_back(settings: Settings, timeouts: Mapping[str, int]) -> Entry[dict[str, tuple[float, float]]]:
    """Return conntrack's timeouts. Since Linux 6.5 an entry in TIME_WAIT or CLOSE may lose its port earlier.

    A new connection then gets it. The kernel looks for such an entry in the last 32 ports of each round of a
    search, and a range of 32 ports has no others. Of several ranges, the new connection may meet another one.
    """
    close, reset = timeouts["tcp_timeout_time_wait"], timeouts["tcp_timeout_close"]
    half_closed, idle, udp = (
        timeouts[name] for name in ("tcp_timeout_close_wait", "tcp_timeout_established", "udp_timeout")
    )
    at_once = isinstance(settings.port_set, range) and settings.port_count <= HARDER_TRIES
    earliest, latest = (0.0, 0.0 if at_once else 1.0) if takes_closed() else (1.0, 1.0)
    value = {
        "close": (earliest * close, latest * close),
        "late close": (earliest * close, latest * close),
        "half-close": (float(half_closed), float(half_closed)),
        "reset": (earliest * reset, latest * reset),
        "silence": (float(idle), float(idle)),
        "udp": (float(udp), float(udp)),
    }
    return Entry(
        value,
        "Linux, net/netfilter/nf_conntrack_proto_tcp.c: tcp_conntracks, and nf_conntrack_proto_udp.c; "
        "nf_nat_core.c: nf_nat_used_tuple_harder",
        "Linux 6.5 and later: at once" if takes_closed() else "Linux before 6.5: after the timeout",
    )
