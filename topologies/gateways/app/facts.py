"""What a stranger's NAT is held to: data, each fact with its source.

Nobody knows what somebody else's NAT does. It is held to what the RFCs require of every NAT, and to what it was
given: the pool, the range of ports, and the timers. What the RFCs leave open is not known, and no check asks for
it: how it filters, how it refuses, which port it chooses, and what it does with the identifiers of pings.
"""

from __future__ import annotations

import math

from controller.settings import Settings
from topologies.gateways import linux
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import UNDECLARED, Behaviour, Entry, Exhaustion
from topologies.gateways.tracking import HARMLESS

LATE_S = 1.0
"""The switch looks once a second which rules are over."""
DEFAULTS = {"hold_down_timeout": 0, "source_validation": False}
FOLLOWED = frozenset({"ports", "external_addresses", "time_scale", *linux.TIMEOUTS.values(), *HARMLESS})
"""What the controller is told, and what changes nothing."""
RESTRICTIONS = (
    Restriction("mapping_type", ("eim",), "RFC 4787 REQ-1 requires it of every NAT"),
    Restriction("on_exhaustion", ("drop",), "how somebody else's NAT refuses is its own affair"),
    Restriction("hold_down_timeout", (0,), "no app is told of a hold-down"),
    Restriction("source_validation", (False,), "no app is told to look at sources"),
)
GIVEN = "what it was given: docs/how/app.md"
ANY = "any version"


def behaviour(settings: Settings, *, given: str = GIVEN) -> Behaviour:
    """Return what any NAT is held to under these settings."""
    refuses = Entry(Exhaustion({}), f"RFC 6888 REQ-11: it refuses, and keeps existing mappings; {given}", ANY)
    return Behaviour(
        mapping=Entry("eim", "RFC 4787 REQ-1: required of every NAT", ANY),
        filtering=Entry("unknown", "RFC 4787 REQ-8 leaves it open", ANY),
        overlapping=Entry("off", "RFC 4787 REQ-1 and REQ-3: one endpoint has one port, for all destinations", ANY),
        pooling=Entry("unknown", "RFC 4787 REQ-2 recommends paired, and requires nothing", ANY),
        finds_every_port_of=Entry(settings.port_count, given, ANY),
        fills_every_address=Entry(False, "RFC 4787 REQ-2 leaves it open how hosts are spread", ANY),
        keeps_source_port=Entry(None, "RFC 4787 section 4.2.1 leaves it open", ANY),
        ports_exhausted=refuses,
        state_exhausted=refuses,
        port_back=_port_back(settings, given),
        icmp_identifiers=Entry("unknown", "RFC 5508 REQ-1 leaves it open, as long as pings pass", ANY),
        port_order=UNDECLARED,
    )


def _port_back(settings: Settings, given: str) -> Entry[dict[str, tuple[float, float]]]:
    """Return the timers that it was given. A rule of OpenFlow has whole seconds, so it may take the next one."""
    seconds = {
        "close": settings.tcp_trans_close_timeout,
        "late close": settings.tcp_trans_close_timeout,
        "half-close": settings.tcp_idle_timeout,
        "reset": settings.tcp_rst_timeout,
        "silence": settings.tcp_idle_timeout,
        "udp": settings.udp_timeout,
    }
    scaled = {ending: each * settings.time_scale for ending, each in seconds.items()}
    value = {ending: (each, math.ceil(each) + LATE_S) for ending, each in scaled.items()}
    return Entry(value, f"RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 7857 section 2; {given}", ANY)
