"""What several questions need, each worded once: the text for `lastport show`, and the refusal if it is not so."""

from __future__ import annotations

import math
from collections.abc import Callable

from scenarios.shared.filling import MOST_PER_CLIENT
from testbed.api import Asked, Of, Refusal, Requirement, of_ports

REFUSING = "on_exhaustion=drop, icmp, reset or hold"
AT_ONCE = "on_exhaustion=drop, icmp or reset"
NOT_CERTAIN, ONE_RANGE = "this gateway searches one of several ranges of ports", "one range of ports"
REFUSES_NONE = "a NAT that evicts refuses no attempt, and that is the scenario eviction"
"""Why a question about refused attempts needs a NAT that keeps its mappings."""


def one_address(why: str) -> Requirement:
    """Need one external address, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        addresses = len(asked.settings.external_addresses)
        if addresses == 1:
            return None
        return Refusal("external_addresses", addresses, why, "external_addresses=1")

    return Requirement(f"one external address: {why}", unmet, Of.SETTINGS)


def ports_between(least: int, most: int, why: str) -> Requirement:
    """Need from `least` to `most` ports, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        ports, given = asked.settings.port_count, asked.settings.capacity_of_address
        if least <= given <= most:
            return None
        reason = why if given == ports else f"{why}, and the allocator gives {given} of them"
        return of_ports(asked.settings, reason, f"ports={least} to {most}")

    return Requirement(f"{least} to {most} ports: {why}", unmet, Of.SETTINGS)


def even_addresses() -> Requirement:
    """Need clients that spread evenly over the external addresses, as each keeps to one of them."""

    def unmet(asked: Asked) -> Refusal | None:
        addresses = len(asked.settings.external_addresses)
        if asked.parameters.subscribers % addresses == 0:
            return None
        why = f"each keeps to one of external_addresses={addresses}"
        way_out = f"clients={addresses}, or a multiple of it"
        return Refusal("clients", asked.parameters.clients, why, way_out, kind="parameter")

    return Requirement("as many clients at each external address", unmet, Of.SETTINGS)


def even_blocks(*, least: int = 1, share: float = 1.0) -> Requirement:
    """Need the same blocks for each subscriber, of `least` ports or more, if the allocator gives blocks.

    `share` is the part of the subscribers that is behind one NAT.
    """

    def unmet(asked: Asked) -> Refusal | None:
        settings, subscribers = asked.settings, math.ceil(asked.parameters.subscribers * share)
        each, size = settings.capacity // subscribers, settings.port_set_size
        are_whole = all(len(block) == size for block in settings.blocks)
        is_even = are_whole and settings.capacity % subscribers == 0 and each % size == 0
        if settings.port_allocation_type != "blocks" or (is_even and each >= least):
            return None
        why = f"each of {subscribers} subscribers is to have the same blocks, of {least} ports or more"
        return Refusal("port_set_size", size, why, "port_allocation_type=random, or fewer clients")

    return Requirement("the same blocks for each subscriber, if the allocator gives blocks", unmet, Of.SETTINGS)


def reserved_for_all() -> Requirement:
    """Need ports for each subscriber to be reserved, if each has its own."""

    def unmet(asked: Asked) -> Refusal | None:
        settings, subscribers = asked.settings, asked.parameters.subscribers
        size, addresses = settings.subscriber_ports, len(settings.external_addresses)
        if size is None or math.ceil(subscribers / addresses) * size <= settings.capacity_of_address:
            return None
        why = f"{subscribers} subscribers are to have {size} ports each"
        fits = settings.capacity_of_address * addresses // subscribers
        way_out = f"subscriber_ports={max(1, fits)} or less, or fewer clients"
        return Refusal("subscriber_ports", size, why, way_out)

    return Requirement("ports for every subscriber, if each has its own", unmet, Of.SETTINGS)


def never_doubling(why: str) -> Requirement:
    """Need ports of a subscriber's own, if it has any, that do not double, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        most = asked.settings.subscriber_ports_max
        return None if most is None else Refusal("subscriber_ports_max", most, why, "subscriber_ports_max=null")

    return Requirement("ports of a subscriber's own that never double, if it has any", unmet, Of.SETTINGS)


def several_addresses(why: str) -> Requirement:
    """Need two external addresses or more, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        if len(asked.settings.external_addresses) > 1:
            return None
        return Refusal("external_addresses", 1, why, "external_addresses=2 or more")

    return Requirement(f"two external addresses or more: {why}", unmet, Of.SETTINGS)


def client_for_each_address() -> Requirement:
    """Need as many clients as external addresses, as each may keep to one of them."""

    def unmet(asked: Asked) -> Refusal | None:
        clients, addresses = asked.parameters.clients, len(asked.settings.external_addresses)
        if clients >= addresses:
            return None
        why = f"where each client keeps to one address, fewer clients cannot use all {addresses}"
        return Refusal("clients", clients, why, f"clients={addresses} or more", kind="parameter")

    return Requirement("a client for each external address", unmet, Of.SETTINGS)


def source_ports(attempts: Callable[[Asked], int], *, each: Callable[[Asked], int] | None = None) -> Requirement:
    """Need clients with source ports enough for `attempts` attempts to one service, if each has `each` of them."""

    def unmet(asked: Asked) -> Refusal | None:
        wanted, own = attempts(asked), each(asked) if each else MOST_PER_CLIENT
        clients, subscribers = asked.parameters.clients, asked.parameters.subscribers
        if wanted <= subscribers * own:
            return None
        why = f"with attempts={wanted}, one would use one of its {own:,} source ports twice"
        enough = math.ceil(wanted / own / (subscribers / clients))
        return Refusal("clients", clients, why, f"clients={enough}, or fewer attempts", kind="parameter")

    return Requirement("source ports enough for all attempts", unmet, Of.SETTINGS)


def source_ports_of_one(attempts: Callable[[Asked], int], way_out: str) -> Requirement:
    """Need that one client's source ports, or identifiers of its pings, are enough for `attempts` attempts."""

    def unmet(asked: Asked) -> Refusal | None:
        wanted = attempts(asked)
        if wanted <= MOST_PER_CLIENT:
            return None
        why = f"one client would need {wanted:,} source ports or identifiers, and it has {MOST_PER_CLIENT:,}"
        return of_ports(asked.settings, why, way_out)

    return Requirement("source ports and identifiers enough for one client alone", unmet, Of.SETTINGS)


def keeps_mappings(why: str) -> Requirement:
    """Need a NAT that makes no room by itself, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        if asked.settings.on_exhaustion != "evict-lru":
            return None
        return Refusal("on_exhaustion", "evict-lru", why, REFUSING)

    return Requirement(f"a NAT that keeps its mappings: {why}", unmet, Of.SETTINGS)


def decides_at_once(why: str) -> Requirement:
    """Need a NAT that neither holds nor evicts when its ports have run out, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        exhaustion = asked.declared.ports_exhausted.value
        if not exhaustion.holds and exhaustion.evicts != "lru":
            return None
        return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, AT_ONCE)

    return Requirement(f"a NAT that neither holds nor evicts when it is full: {why}", unmet, Of.GATEWAY)


def declares_its_mapping(why: str) -> Requirement:
    """Need a NAT of which is known how it maps, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        if asked.declared.mapping.value != "unknown":
            return None
        none = f"it maps in none of the RFC's ways ({asked.declared.mapping}), and {why}"
        return Refusal("mapping_type", "unknown", none, ONE_RANGE)

    return Requirement(f"a NAT that declares how it maps: {why}", unmet, Of.GATEWAY)


def declares_its_filtering(why: str) -> Requirement:
    """Need a NAT of which is known how it filters, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        if asked.declared.filtering.value != "unknown":
            return None
        unknown = f"nobody knows how this NAT filters ({asked.declared.filtering}), and {why}"
        promise = "--set filtering_type=eif, adf or edf, whichever the NAT does, which is then checked"
        return Refusal("filtering_type", "unknown", unknown, promise)

    return Requirement(f"a NAT that declares how it filters: {why}", unmet, Of.GATEWAY)


def refuses(why: str) -> Requirement:
    """Need a NAT that refuses when its ports have run out, and declares how, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        exhaustion = asked.declared.ports_exhausted.value
        if exhaustion.evicts != "lru" and exhaustion.outcome is not None:
            return None
        return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, REFUSING)

    return Requirement(f"a NAT that refuses when it is full: {why}", unmet, Of.GATEWAY)


def refuses_at_once(why: str) -> Requirement:
    """Need a NAT that refuses at once, neither holding nor evicting, and declares how, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        exhaustion = asked.declared.ports_exhausted.value
        if not exhaustion.holds and exhaustion.evicts == "nothing" and exhaustion.outcome is not None:
            return None
        return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, AT_ONCE)

    return Requirement(f"a NAT that refuses at once when it is full: {why}", unmet, Of.GATEWAY)


def finds_every_port(why: str, *, most: int | None = None) -> Requirement:
    """Need a NAT that finds the last free port, because `why`; and `most` ports at most, if that is given."""

    def unmet(asked: Asked) -> Refusal | None:
        ports, found = asked.settings.port_count, asked.declared.finds_every_port_of.value
        if most is not None and ports > most:
            return of_ports(asked.settings, f"{why}, and it fills {most} at most", f"ports={most} or fewer")
        if ports <= found:
            return None
        if not found:
            return of_ports(asked.settings, f"{NOT_CERTAIN}, and {why}", ONE_RANGE)
        reason = f"this gateway finds the last free port of {found}, and {why}"
        return of_ports(asked.settings, reason, f"ports={found} or fewer")

    return Requirement(f"a NAT that finds every free port: {why}", unmet, Of.GATEWAY)


def searches_all_ports(why: str) -> Requirement:
    """Need a NAT that finds the last free port at least of few, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        if asked.declared.finds_every_port_of.value:
            return None
        return of_ports(asked.settings, f"{NOT_CERTAIN}, and {why}", ONE_RANGE)

    return Requirement(f"a NAT that searches all ports: {why}", unmet, Of.GATEWAY)


def translates_packets(why: str) -> Requirement:
    """Need a NAT that passes packets on, rather than one that relays connections, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        relays = asked.declared.relays
        if not relays.value:
            return None
        way = f"it ends connections and begins others in their place ({relays}), and {why}"
        return Refusal("mapping_type", asked.settings.mapping_type, way, "another --gateway")

    return Requirement(f"a NAT that passes packets on: {why}", unmet, Of.GATEWAY)


def translates_identifiers(why: str) -> Requirement:
    """Need a NAT that takes the identifiers of ICMP queries from a pool, if the protocol is ICMP: else `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        identifiers = asked.declared.icmp_identifiers
        if asked.parameters.protocol != "icmp" or identifiers.value == "pool":
            return None
        kept = "ICMP queries keep the identifiers that their hosts chose"
        unknown = "nobody knows what it does with the identifiers of ICMP queries"
        why_not = f"{kept if identifiers.value == 'kept' else unknown} ({identifiers}), so {why}"
        return Refusal("protocol", "icmp", why_not, "protocol=tcp or udp, or another --gateway", kind="parameter")

    return Requirement("for protocol=icmp, a NAT that translates the identifiers of queries", unmet, Of.GATEWAY)
