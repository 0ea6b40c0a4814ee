"""Why a simulation must differ from the formulas, in sentences: what of a NAT no telephone exchange has."""

from __future__ import annotations

from collections.abc import Iterator

from controller.settings import Settings

SEARCH = "linux-like"


def differences(settings: Settings, *, bursts: bool, overlap_helps: bool, own: int | None = None) -> Iterator[str]:
    """Yield a sentence for each reason that these settings and this workload give."""
    if bursts:
        yield (
            "Connections come in bursts, and Erlang B takes them one by one: it is too low. Hayward's "
            "approximation reckons with bursts."
        )
    if own is not None:
        yield (
            f"Each subscriber has {own:,} ports for good: one that needs more is refused, although the ports of "
            "others are free. The pool's formula is too low."
        )
    if settings.port_allocation_type == SEARCH:
        yield (
            "The allocator linux-like tries a limited number of ports and gives up before the pool is full: it "
            "refuses more than any formula."
        )
    if settings.port_allocation_type == "blocks":
        yield (
            "A block serves one subscriber, and its free ports are of no use to others: more is refused than by "
            "one pool of the same ports."
        )
    if settings.port_allocation_type.endswith(".py") or ".py:" in settings.port_allocation_type:
        yield "The allocator is your own: a formula takes a search that finds every free port."
    quotas = ("port_quota", "port_quota_tcp", "port_quota_udp")
    if any(getattr(settings, key) is not None for key in quotas):
        yield "A quota refuses subscribers that have enough, although ports are free: the formula is too low."
    for key in ("limit_port_mappings", "limit_sessions", "limit_subscribers", "new_mapping_rate_per_subscriber"):
        if getattr(settings, key) is not None:
            yield f"{key} refuses attempts although ports are free: the pool's formula is too low."
    if len(settings.external_addresses) > 1 and settings.address_allocation_type.startswith("paired"):
        yield (
            "Each subscriber keeps to one external address, and the formula takes a pool for each address with an "
            "equal load. Subscribers are not equal: more is refused, above all of few."
        )
    if settings.on_exhaustion == "hold":
        yield "An attempt that finds no port waits for one: fewer are refused than by a formula of lost calls."
    if settings.on_exhaustion == "evict-lru":
        yield "An attempt that finds no port ends another mapping: hardly any is refused, and connections break."
    if overlap_helps:
        yield (
            "Ports overlap: each destination has all of them, and what is refused is decided by the destination "
            "that most go to."
        )
