"""Checks of connections through several external addresses: what one client gets of them, and what all get."""

from __future__ import annotations

from collections import Counter
from typing import Any

from scenarios.shared.checks import check_carrying, check_endpoints
from scenarios.shared.filling import Filled
from testbed.api import Experiment, between


def addresses_of(filled: Filled) -> set[str]:
    """Return the external addresses of what is established."""
    return {attempt.seen[0] for attempt in filled.established}


def check_alone(heavy: Filled, given: int, x: Experiment[Any]) -> None:
    """Check what one client alone gets, from the `given` addresses, unless nobody knows how the NAT pools."""
    pooling, fills = x.behaviour.pooling, x.behaviour.fills_every_address
    if pooling.value == "unknown":
        return
    addresses = len(x.settings.external_addresses) if pooling.value != "paired" and fills.value else 1
    got, ports = len(heavy.established), x.settings.capacity_of_address * addresses
    source = f"RFC 4787 REQ-2, RFC 7857 section 4; {pooling}; {fills}"
    x.check("connections of the first client alone", expected=ports, observed=got, source=source)
    x.check("external addresses of the first client alone", expected=addresses, observed=given, source=source)


def check_all(everyone: Filled, echoed: set[int], x: Experiment[Any]) -> None:
    """Check that each address that clients got is used up, and that clients keep to the pooling."""
    connections, used = everyone.established, len(addresses_of(everyone))
    pool, fills = len(x.settings.external_addresses), x.behaviour.fills_every_address
    full, least = (pool, pool) if fills.value else (used, 2)
    x.check(
        f"{full} addresses make {full} times the ports",
        expected=full * x.settings.capacity_of_address,
        observed=len(connections),
        source=f"RFC 8512 external-ip-address-pool; {fills}",
    )
    source = str(fills)
    x.check("external addresses of all clients", expected=between(least, pool), observed=used, source=source)
    check_endpoints((attempt.seen for attempt in connections), len(connections), x)
    check_carrying(len(connections), echoed, x)
    if x.behaviour.pooling.value == "paired":
        pairs = {(attempt.source[0], attempt.seen[0]) for attempt in connections}
        x.check(
            "most external addresses of one client",
            expected=1,
            observed=max(Counter(client for client, _ in pairs).values(), default=0),
            source=f"RFC 4787 REQ-2, RFC 6888 REQ-2; {x.behaviour.pooling}",
        )
