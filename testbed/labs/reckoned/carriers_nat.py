"""Lab 10, size a carrier's NAT: rates times times, Erlang for one and for all, blocks by arithmetic, and logs."""

from __future__ import annotations

from testbed.labs.reckoned import Formula, exactly
from testbed.plan.erlang import ports_for

LIFE_S, LONG_S, SHORT_S, MINUTE_S = 30, 240, 10, 60
"""The life of a connection, and the timers after it in part 2."""
TARGET, TOGETHER = 0.001, 100
FIRST, PORTS = 1024, 64_512
ASKED, ADDRESSES = 20_000, 4
"""The port that part 5 asks about, and the number of addresses there."""
MACHINE = 64
"""The ports of a virtual machine in part 6."""
MINUTES_OF_A_DAY = 1440

EXPECTED: dict[str, Formula] = {
    "held-by-one": lambda own: exactly(own["rate"] * (LIFE_S + LONG_S) // MINUTE_S),
    "held-with-the-short-timer": lambda own: exactly(own["rate"] * (LIFE_S + SHORT_S) // MINUTE_S),
    "ports-for-one": lambda own: exactly(ports_for(own["erlangs"], TARGET)),
    "ports-for-a-hundred": lambda own: range(
        ports_for(TOGETHER * own["erlangs"], TARGET) - 1, ports_for(TOGETHER * own["erlangs"], TARGET) + 2
    ),
    "blocks-of-an-address": lambda own: exactly(PORTS // own["size"]),
    "addresses-by-arithmetic": lambda own: exactly(-(-own["subscribers"] // (PORTS // own["size"]))),
    "whose-port": lambda own: exactly(ADDRESSES * ((ASKED - FIRST) // own["size"])),
    "cloud-connections": lambda own: exactly(MACHINE * MINUTE_S // own["rest"]),
    "log-lines-of-a-day": lambda own: exactly(2 * own["rate"] * MINUTES_OF_A_DAY),
}
