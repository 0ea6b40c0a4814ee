"""What Linux's NAT can follow of the settings, and what it does by itself: data, each fact with its source.

Three things follow from Linux having no table of mappings, but one of connections (conntrack):

- It gives a port per connection. So quotas count connections, of which TCP's closed ones count no more
  (nf_conncount.c: already_closed), and a limit of mappings or of subscribers has nothing to count.
- Its answers go to who was asked, and to nobody else: the filtering depends on address and port.
- A mapping looks endpoint-independent as long as nobody else uses the port (nf_nat_core.c:
  find_appropriate_src), and splits when somebody does: what can be promised is `edm`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError, Settings
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.tracking import whole_seconds

HARDER_TRIES = 32
"""nf_nat_core.c, NF_NAT_HARDER_THRESH."""
DEFAULTS: dict[str, Any] = {
    "mapping_type": "edm",
    "filtering_type": "edf",
    "port_overlapping": "endpoint",
    "port_allocation_type": "preserving",
    "address_allocation_type": "arbitrary",
    "hold_down_timeout": 0,
    "refresh_inbound": True,
}
"""What Linux does unless it is told otherwise."""

_NO_TABLE = "Linux's NAT keeps connections and no mappings, so there is nothing to count"

RESTRICTIONS = (
    Restriction("mapping_type", ("edm",), "a mapping of Linux's NAT splits when another host uses its port"),
    Restriction("filtering_type", ("edf",), "Linux lets in only the answers of who was asked"),
    Restriction("port_overlapping", ("endpoint",), "Linux shares a port whenever the destinations differ"),
    Restriction("address_allocation_type", ("arbitrary", "paired"), "nft knows these two, by `persistent`"),
    Restriction("port_allocation_type", ("preserving", "random", "linux-like"), "nft knows these, by `random`"),
    Restriction("limit_port_mappings", (None,), _NO_TABLE),
    Restriction("limit_subscribers", (None,), _NO_TABLE),
    Restriction("flow_limit", (None,), "it limits a switch's flow table, and here is none"),
    Restriction("on_exhaustion", ("drop",), "Linux tells nobody, holds nothing and evicts no live connection"),
    Restriction("hold_down_timeout", (0,), "Linux gives a freed port again at once"),
    Restriction("refresh_inbound", (True,), "conntrack refreshes an entry by packets of both directions"),
)
"""The settings that Linux follows in part."""

FOLLOWED = frozenset(
    (
        *("ports", "external_addresses", "time_scale"),
        *("port_quota", "port_quota_tcp", "port_quota_udp", "port_quota_icmp"),
        *("limit_sessions", "new_mapping_rate_per_subscriber"),
        *("udp_timeout", "icmp_timeout", "tcp_idle_timeout", "tcp_trans_open_timeout"),
        *("tcp_trans_close_timeout", "tcp_rst_timeout"),
    )
)
"""The settings that Linux follows; `check` refuses the few values that it cannot."""

TIMEOUTS: dict[str, str] = {
    # A stream is UDP that was answered for two seconds; RFC 4787 REQ-5 knows no such difference.
    "udp_timeout": "udp_timeout",
    "udp_timeout_stream": "udp_timeout",
    "icmp_timeout": "icmp_timeout",
    # Not answered yet, or the answer not confirmed: RFC 5382 REQ-5's partially open connections.
    "tcp_timeout_syn_sent": "tcp_trans_open_timeout",
    "tcp_timeout_syn_recv": "tcp_trans_open_timeout",
    # With one FIN seen a connection is half-closed, which RFC 5382 REQ-5 counts as established.
    "tcp_timeout_established": "tcp_idle_timeout",
    "tcp_timeout_fin_wait": "tcp_idle_timeout",
    "tcp_timeout_close_wait": "tcp_idle_timeout",
    # Linux ends an entry early where data go unacknowledged; no RFC does, and so this is switched off.
    "tcp_timeout_max_retrans": "tcp_idle_timeout",
    "tcp_timeout_unacknowledged": "tcp_idle_timeout",
    # Both FINs seen, the second acknowledged or not.
    "tcp_timeout_last_ack": "tcp_trans_close_timeout",
    "tcp_timeout_time_wait": "tcp_trans_close_timeout",
    # Deviation: a RST that answers a SYN ends the entry at once (nf_conntrack_proto_tcp.c).
    "tcp_timeout_close": "tcp_rst_timeout",
}
"""Which setting each timeout of conntrack stands for: net.netfilter.nf_conntrack_* of the namespace."""

LONGEST_TIMEOUT_S = 2_000_000
"""The kernel counts in ticks of up to a thousandth of a second, with 31 bits."""
RATE_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

FINDS_ALL_OF = 128
"""Ports that the kernel's search tries in its first round (NF_NAT_MAX_ATTEMPTS)."""

TABLE_SIZE = Path("/proc/sys/net/netfilter/nf_conntrack_max")

_CORE = "Linux, net/netfilter/nf_nat_core.c"
_SINCE = "Linux 5.0 and later"


@dataclass(frozen=True, slots=True)
class Quota:
    """The connections that each source may have: an nft set of that name counts them."""

    name: str
    limit: int


def conntrack_timeouts(settings: Settings) -> dict[str, int]:
    """Return conntrack's timeouts in seconds. It takes whole ones: a fraction is rounded up, never down to 0."""
    return whole_seconds(TIMEOUTS, settings)


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


def check(settings: Settings) -> None:
    """Raise ConfigurationError for values that nft or conntrack cannot express."""
    first, last = settings.external_addresses[0], settings.external_addresses[-1]
    if [int(address) for address in settings.external_addresses] != list(range(int(first), int(last) + 1)):
        shown = ", ".join(str(address) for address in settings.external_addresses)
        raise ConfigurationError(
            f"setting external_addresses=[{shown}] is not possible with this gateway: nft's snat takes one range "
            "of addresses; take consecutive ones, in their order, or another --gateway"
        )
    for name, seconds in conntrack_timeouts(settings).items():
        if seconds > LONGEST_TIMEOUT_S:
            key = TIMEOUTS[name]
            raise ConfigurationError(
                f"setting {key}={getattr(settings, key)} is not possible with this gateway and "
                f"time_scale={settings.time_scale}: conntrack counts up to {LONGEST_TIMEOUT_S:,} s; "
                f"take {key}={int(LONGEST_TIMEOUT_S / settings.time_scale)} or less, or another --gateway"
            )
    rate(settings)


def behaviour(settings: Settings) -> Behaviour:
    """Return what Linux does under these settings, by its source code."""
    silent = {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"}
    is_random = settings.port_allocation_type == "random"
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
        ),
        filtering=Entry("edf", "Linux, net/netfilter/nf_conntrack_core.c: resolve_normal_ct", _SINCE),
        overlapping=Entry("endpoint", f"{_CORE}: nf_nat_used_tuple", _SINCE),
        pooling=Entry(
            settings.address_allocation_type,
            f"nft(8), NAT STATEMENTS: persistent; {_CORE}: find_best_ips_proto",
            _SINCE,
        ),
        finds_every_port_of=Entry(FINDS_ALL_OF, f"{_CORE}: nf_nat_l4proto_unique_tuple, max_attempts", _SINCE),
        keeps_source_port=Entry(
            not is_random,
            f"{_CORE}: get_unique_tuple, the original tuple first unless NF_NAT_RANGE_PROTO_RANDOM_ALL",
            _SINCE,
        ),
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
        port_back=_port_back(settings),
        icmp_identifiers=Entry("pool", f"{_CORE}: nf_nat_l4proto_unique_tuple, IPPROTO_ICMP", _SINCE),
    )


def table_size() -> int:
    """Return how many connections the kernel's table holds; 0 as long as the kernel has none."""
    return int(TABLE_SIZE.read_text()) if TABLE_SIZE.exists() else 0


def takes_closed() -> bool:
    """Return whether this kernel gives the port of a closed TCP connection to a newcomer who finds no other."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor)) >= (6, 5)


def _port_back(settings: Settings) -> Entry[dict[str, tuple[float, float]]]:
    """Return conntrack's timeouts; but since 6.5 an entry in TIME_WAIT or CLOSE may lose its port to a newcomer.

    That is looked for in the last 32 ports of each round of a search, and a range of 32 has no others.
    """
    timeouts = conntrack_timeouts(settings)
    close, reset = timeouts["tcp_timeout_time_wait"], timeouts["tcp_timeout_close"]
    half_closed, idle, udp = (
        timeouts[name] for name in ("tcp_timeout_close_wait", "tcp_timeout_established", "udp_timeout")
    )
    earliest, latest = (0.0, 0.0 if settings.ports <= HARDER_TRIES else 1.0) if takes_closed() else (1.0, 1.0)
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
