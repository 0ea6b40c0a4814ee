"""Lab 8, a router of one's own: Linux's NAT, where a port serves one connection toward each destination."""

from __future__ import annotations

import math

from testbed.labs.reckoned import Formula, exactly

WHOLE_RANGE = 64_512
CLIENTS = 1_000
SERVICES = 2

EXPECTED: dict[str, Formula] = {
    "established-of-many": lambda own: exactly(own["attempts"]),
    "endpoints-of-a-socket": lambda _: exactly(1),
    "established-when-full": lambda own: exactly(own["ports"]),
    "unanswered-when-full": lambda own: exactly(math.ceil(own["ports"] / 4)),
    "toward-two-services": lambda own: exactly(SERVICES * own["ports"]),
    "connections-a-second": lambda own: range(
        WHOLE_RANGE // own["closing"], math.ceil(WHOLE_RANGE / own["closing"]) + 1
    ),
    "ports-of-each-client": lambda _: exactly(WHOLE_RANGE // CLIENTS),
}
