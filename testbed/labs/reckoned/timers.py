"""Lab 5, timers: a port is taken for longer than it is used, and a server may remember what the NAT forgets."""

from __future__ import annotations

from testbed.labs.reckoned import Formula, about, exactly

DAY_S, MINUTE_S = 86_400, 60
OCCUPIED_S = 0.3 + 3 + 0.5
"""In part 2: the connection, its close timer, and its port's rest."""
JOB_S, RFC_S = 120, 240
WHOLE_RANGE = 64_512
HELD_DOWN = 2_133
"""What the plan of 50 subscribers has. It has a seed, so it is the same everywhere."""

EXPECTED: dict[str, Formula] = {
    "keep-alives-a-day": lambda own: range(DAY_S // own["keepalive"], -(-DAY_S // own["keepalive"]) + 1),
    "connections-a-minute": lambda own: about(MINUTE_S * own["pool"] / OCCUPIED_S, 0.02),
    "ports-of-the-job": lambda own: exactly(own["rate"] * JOB_S),
    "connections-by-the-rfc": lambda _: range(WHOLE_RANGE // RFC_S, WHOLE_RANGE // RFC_S + 2),
    "held-down-ports": lambda _: about(HELD_DOWN, 0.02),
    "resets-at-the-server": lambda own: exactly(own["reused"] - own["reused"] // 2),
    "bob-established": lambda own: exactly(own["reused"]),
}
