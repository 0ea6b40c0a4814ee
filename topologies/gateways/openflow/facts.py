"""What our own NAT declares about itself, which is mostly its settings: data, each fact with its source."""

from __future__ import annotations

import tomllib
from pathlib import Path

from controller.nat.model import EndedBy, Protocol
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.tcp import TcpTimer
from controller.settings import PORT_REST_S, Settings
from topologies.gateways.behaviour import UNDECLARED, Behaviour, Entry, Exhaustion

TOLD = {
    "drop": {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"},
    "icmp": {"tcp": "icmp", "udp": "icmp", "icmp": "icmp"},
    "reset": {"tcp": "reset", "udp": "icmp", "icmp": "icmp"},
}
"""The outcome of a refused attempt, by the answer to its sender, and by protocol."""
ORDERS = {
    "random": "random",
    "preserving": "random",  # of ports that no host has asked for
    "blocks": "blocks",
    "linux-like": "search",
    "sequential": "sequential",
}
"""The order of ports, by our own allocators. Another one's is not known."""
KEEPING = ("preserving", "linux-like")
"""The allocators that give a host's own port where it is free."""
_PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
VERSION = f"{_PROJECT['name']} {_PROJECT['version']}"
COUNTED_LATE = 1.5
"""An idle mapping may live longer than its timer by this factor: its packets are counted four times within it."""
LINUX_LIKE_FINDS = 128
"""Up to this number of ports, the allocator linux-like finds the last free one, as Linux does."""


def behaviour(settings: Settings) -> Behaviour:
    """Return what our own NAT does under these settings."""
    return Behaviour(
        mapping=_set("mapping_type", settings),
        filtering=_set("filtering_type", settings),
        overlapping=_set("port_overlapping", settings),
        pooling=_set("address_allocation_type", settings),
        finds_every_port_of=_finds(settings),
        fills_every_address=Entry(
            True, "controller/nat/strategies/pooling: evenly, or wherever there is room", VERSION
        ),
        keeps_source_port=Entry(
            settings.port_allocation_type in KEEPING,
            "RFC 4787 section 4.2.1; the setting port_allocation_type",
            VERSION,
        ),
        ports_exhausted=_shortage(settings),
        state_exhausted=_shortage(settings),
        port_back=_port_back(settings),
        icmp_identifiers=Entry("pool", "RFC 5508 REQ-1: mapped as ports are", VERSION),
        port_order=Entry(
            ORDERS.get(settings.port_allocation_type, UNDECLARED.value),
            "RFC 6056, RFC 6888 REQ-15; the setting port_allocation_type",
            VERSION,
        ),
    )


def _finds(settings: Settings) -> Entry[int]:
    allocator = settings.port_allocation_type
    if allocator == "linux-like":
        source = "by the allocator linux-like, nf_nat_core.c: nf_nat_l4proto_unique_tuple"
        return Entry(LINUX_LIKE_FINDS, f"RFC 6888 REQ-13; {source}", VERSION)
    if allocator not in ALLOCATORS:
        source = f"`__len__` of {allocator} must be the number of ports that it gives: docs/how/allocator.md"
        return Entry(settings.port_count, f"RFC 6888 REQ-13; {source}", VERSION)
    return Entry(settings.port_count, "RFC 6888 REQ-13", VERSION)


def _set(key: str, settings: Settings) -> Entry[str]:
    return Entry(getattr(settings, key), f"the setting {key}", VERSION)


def _shortage(settings: Settings) -> Entry[Exhaustion]:
    """Return what becomes of a connection for which anything has run short: `on_exhaustion` decides it."""
    policy = settings.on_exhaustion
    answer, source = settings.fallback if policy == "hold" else policy, "docs/exhaustion.md: on_exhaustion"
    if policy not in POLICIES:
        answers = settings.for_nat().on_exhaustion.answers
        answer = answers.value if answers else ""
        source = f"`answers` of {policy} must be what it decides: docs/how/policy.md"
    shortage = Exhaustion(
        TOLD.get(answer),
        evicts="lru" if policy == "evict-lru" else "nothing",
        holds=policy == "hold",
        after={"hold": settings.hold_timeout * settings.time_scale, "evict-lru": PORT_REST_S}.get(policy, 0.0),
    )
    return Entry(shortage, source, VERSION)


def _port_back(settings: Settings) -> Entry[dict[str, tuple[float, float]]]:
    """Add up timers and rest. An idle mapping is ended by its packet counts, which come late."""
    nat = settings.for_nat()
    close, reset, idle = (
        nat.tcp_timeouts[timer] for timer in (TcpTimer.CLOSING, TcpTimer.RESET, TcpTimer.ESTABLISHED)
    )
    fin, rst, silent = (
        PORT_REST_S + nat.hold_down(Protocol.TCP, by) for by in (EndedBy.FIN, EndedBy.RST, EndedBy.IDLE)
    )
    udp_rest = PORT_REST_S + nat.hold_down(Protocol.UDP, EndedBy.IDLE)
    closed = (close + fin, close + fin)
    # An idle connection has, after its own timer, the time that follows a RST: it may still go on.
    forgotten = (idle + reset + silent, (idle + reset) * COUNTED_LATE + silent)
    value = {
        "close": closed,
        "late close": closed,
        "half-close": forgotten,
        "reset": (reset + rst, reset * COUNTED_LATE + rst),
        "silence": forgotten,
        "udp": (nat.udp_timeout + udp_rest, nat.udp_timeout * COUNTED_LATE + udp_rest),
    }
    return Entry(value, "RFC 5382 REQ-5, RFC 7857 section 2, RFC 4787 REQ-5, RFC 6888 REQ-8", VERSION)
