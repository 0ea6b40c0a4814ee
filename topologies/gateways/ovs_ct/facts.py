"""What Open vSwitch's own connection tracking can follow of the settings, and what it does by itself: data.

This is the tracker of the userspace datapath, `lib/conntrack.c`. (The kernel datapath uses Linux's, which the
gateway `netfilter` shows.) It keeps connections and no mappings, so there is nothing that could be limited for
each subscriber. Three of its properties matter here:

- A connection's port is searched from a hash of the whole connection, its destination included.
- A connection that gets no port, or no room, is passed on *untranslated*. What becomes of it is the rules' choice.
- Room in the table, and in older versions a port as well, is free only after the next sweep of the table.
"""

from __future__ import annotations

import functools
import re
import subprocess
from typing import Any

from controller.settings import ConfigurationError, Settings
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.following import require_one_range
from topologies.gateways.tracking import HARMLESS, whole_seconds

DEFAULTS: dict[str, Any] = {
    "mapping_type": "edm",
    "filtering_type": "edf",
    "port_overlapping": "endpoint",
    "port_allocation_type": "random",
    "address_allocation_type": "paired",
    "hold_down_timeout": 0,
    "refresh_inbound": True,
    "source_validation": False,
}
"""What Open vSwitch does unless it is told otherwise."""

_NO_TABLE = "Open vSwitch tracks connections and keeps no mappings, so there is nothing to count"
_NO_QUOTA = "Open vSwitch limits the connections of a zone, not those of a subscriber"

RESTRICTIONS = (
    Restriction(
        "on_exhaustion", ("drop",), "a rule can drop what was not translated, and do nothing else with it"
    ),
    Restriction("mapping_type", ("edm",), "the search for a port begins at a hash of the whole connection"),
    Restriction("filtering_type", ("edf",), "only answers of the endpoint that was asked belong to a connection"),
    Restriction("port_overlapping", ("endpoint",), "a port is shared whenever the destinations differ"),
    Restriction("address_allocation_type", ("paired",), "the rules choose an address by the inside host's"),
    Restriction(
        "port_allocation_type", ("random",), "its search begins at a hash of the connection, and there is no other"
    ),
    Restriction("port_quota", (None,), _NO_QUOTA),
    Restriction("port_quota_tcp", (None,), _NO_QUOTA),
    Restriction("port_quota_udp", (None,), _NO_QUOTA),
    Restriction("port_quota_icmp", (None,), _NO_QUOTA),
    Restriction(
        "new_mapping_rate_per_subscriber",
        (None,),
        "its rules are static, and count no connections of a subscriber",
    ),
    Restriction("limit_port_mappings", (None,), _NO_TABLE),
    Restriction("limit_subscribers", (None,), _NO_TABLE),
    Restriction("flow_limit", (None,), "it limits rules for mappings, and here is none"),
    Restriction("hold_down_timeout", (0,), "Open vSwitch knows no hold-down"),
    Restriction("source_validation", (False,), "its rules take any source at any inside port"),
    Restriction("refresh_inbound", (True,), "packets of both directions refresh a connection"),
)
"""The settings that Open vSwitch follows in part."""

FOLLOWED = frozenset(
    (
        *("ports", "reserved_ports", "external_addresses", "limit_sessions", "time_scale"),
        *("udp_timeout", "icmp_timeout", "tcp_idle_timeout", "tcp_trans_open_timeout"),
        *("tcp_trans_close_timeout", "tcp_rst_timeout"),
        *HARMLESS,
    )
)
"""The settings that it follows, and those that change nothing here; `check` refuses a few values."""

TIMEOUTS: dict[str, str] = {
    # The first datagram; more of them; and with an answer. RFC 4787 REQ-5 knows no such difference.
    "udp_first": "udp_timeout",
    "udp_single": "udp_timeout",
    "udp_multiple": "udp_timeout",
    "icmp_first": "icmp_timeout",
    "icmp_reply": "icmp_timeout",
    "tcp_syn_sent": "tcp_trans_open_timeout",
    "tcp_syn_recv": "tcp_trans_open_timeout",
    # With one FIN seen a connection is half-closed, which RFC 5382 REQ-5 counts as established.
    "tcp_established": "tcp_idle_timeout",
    "tcp_fin_wait": "tcp_idle_timeout",
    # Both FINs seen.
    "tcp_time_wait": "tcp_trans_close_timeout",
    # Both FINs acknowledged, or a RST seen.
    "tcp_close": "tcp_trans_close_timeout",
}
"""The setting that each timeout stands for: ovs-vswitchd.conf.db(5), table CT_Timeout_Policy."""

LONGEST_TIMEOUT_S = 4_000_000
"""The tracker multiplies seconds by 1,000 in 32 bits (lib/conntrack-tp.c: conn_update_expiration)."""
MOST_SESSIONS = 3_000_000
"""The connections for which the tracker has room by default (lib/conntrack.c: DEFAULT_N_CONN_LIMIT)."""
FINDS_ALL_OF = 128
"""Ports that the search tries in its first round (lib/conntrack.c: nat_get_unique_l4, max_attempts)."""
SWEPT_EVERY_S = 20.0
"""Seconds for which the table may keep what has expired (lib/conntrack.c: conntrack_clean)."""
EXPIRED_IS_FREE_SINCE = {(2, 17): 8, (3, 0): 5, (3, 1): 3, (3, 2): 3}
"""By branch, the patch release whose look-up passes over both directions of an expired connection (conn_expired).

Before, the reverse direction was an entry of its own that did not expire (CT_CONN_TYPE_UN_NAT). Older branches
never got the change; newer ones began with it.
"""


@functools.cache
def version() -> str:
    """Return the version of the installed Open vSwitch; empty if there is none."""
    try:
        done = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found.group() if found else ""


def keeps_expired(installed: str) -> bool:
    """Whether this version's ports stay taken from expiry until the sweep."""
    major, minor, patch, *_ = [int(part) for part in installed.split(".") if part] + [0, 0, 0]
    since = EXPIRED_IS_FREE_SINCE.get((major, minor))
    return (major, minor) < min(EXPIRED_IS_FREE_SINCE) if since is None else patch < since


def waits_for_sweep(settings: Settings) -> bool:
    """Return whether what runs short is free again only after the sweep: room in the table always is."""
    return settings.limit_sessions is not None or keeps_expired(version())


def conntrack_timeouts(settings: Settings) -> dict[str, int]:
    """Return the timeout policy in whole seconds; a fraction is rounded up."""
    return whole_seconds(TIMEOUTS, settings)


def check(settings: Settings) -> None:
    """Raise ConfigurationError for values that the tracker cannot express."""
    require_one_range(settings, "the action ct(nat) takes one")
    if settings.tcp_rst_timeout != settings.tcp_trans_close_timeout:
        raise ConfigurationError(
            f"setting tcp_rst_timeout={settings.tcp_rst_timeout:g} is not possible with this gateway and "
            f"tcp_trans_close_timeout={settings.tcp_trans_close_timeout:g}: Open vSwitch has one timer for both, "
            f"tcp_close; take tcp_rst_timeout={settings.tcp_trans_close_timeout:g}, or another --gateway"
        )
    for name, seconds in conntrack_timeouts(settings).items():
        if seconds > LONGEST_TIMEOUT_S:
            key = TIMEOUTS[name]
            raise ConfigurationError(
                f"setting {key}={getattr(settings, key):g} is not possible with this gateway and "
                f"time_scale={settings.time_scale:g}: Open vSwitch counts up to {LONGEST_TIMEOUT_S:,} s; "
                f"take {key}={int(LONGEST_TIMEOUT_S / settings.time_scale)} or less, or another --gateway"
            )
    if settings.limit_sessions is not None and settings.limit_sessions > MOST_SESSIONS:
        raise ConfigurationError(
            f"setting limit_sessions={settings.limit_sessions} is not possible with this gateway: Open vSwitch "
            f"tracks {MOST_SESSIONS:,} connections at most; take limit_sessions={MOST_SESSIONS} or less"
        )


def behaviour(settings: Settings) -> Behaviour:
    """Return what Open vSwitch does with our rules, by its source code.

    Without the guard a refused sender gets no answer either, but its packets leak. That fault is not declared.
    """
    found = f"Open vSwitch {version() or 'of any version'}"
    core = "lib/conntrack.c"
    silent = Exhaustion(dict.fromkeys(("tcp", "udp", "icmp"), "timeout"))
    # A ping needs no port: its identifier is kept.
    silent_ports = Exhaustion(dict.fromkeys(("tcp", "udp"), "timeout"))
    rules = "rules.flows.j2, table 2"
    swept, free = 0.0, "conn_expired"
    if waits_for_sweep(settings):
        swept, free = SWEPT_EVERY_S, "conntrack_clean"
    return Behaviour(
        mapping=Entry("edm", f"{core}: nat_range_hash takes the destination in", found),
        filtering=Entry("edf", f"{core}: conn_key_lookup compares both endpoints", found),
        overlapping=Entry("endpoint", f"{core}: nat_get_unique_l4 looks up the reverse connection", found),
        pooling=Entry(
            "paired", "rules.flows.j2, table 1: an address by the last octet of the inside host's", found
        ),
        finds_every_port_of=Entry(FINDS_ALL_OF, f"{core}: nat_get_unique_l4, max_attempts", found),
        keeps_source_port=Entry(False, f"{core}: set_sport_range, which starts from a hash in the range", found),
        fills_every_address=Entry(True, "rules.flows.j2, table 1: hosts in a row take turns", found),
        ports_exhausted=Entry(silent_ports, f"{core}: conn_not_found, nat_res_exhaustion; {rules}", found),
        state_exhausted=Entry(silent, f"{core}: conn_not_found, zone_limit; {rules}", found),
        icmp_identifiers=Entry("kept", f"{core}: nat_get_unique_tuple, pat_proto is TCP or UDP", found),
        port_order=Entry("search", f"{core}: nat_range_hash, with a basis that is drawn at each start", found),
        passes_challenges=Entry(
            False,
            "lib/conntrack-tcp.c: tcp_conn_update takes such a RST for invalid; rules.flows.j2 drops that",
            found,
        ),
        port_back=Entry(
            _port_back(settings, swept), f"lib/conntrack-tcp.c: tcp_conn_update; {core}: {free}", found
        ),
    )


def _port_back(settings: Settings, swept: float) -> dict[str, tuple[float, float]]:
    """Return for each ending its timeout, and the same with the time until the next sweep of the table."""
    timeouts = conntrack_timeouts(settings)
    names = {
        "close": "tcp_close",
        "late close": "tcp_close",
        "half-close": "tcp_fin_wait",
        "reset": "tcp_close",
        "silence": "tcp_established",
        "udp": "udp_multiple",
    }
    return {ending: (float(timeouts[name]), timeouts[name] + swept) for ending, name in names.items()}
