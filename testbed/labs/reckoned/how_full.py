"""Lab 4, how full before it refuses: a search that gives up (Linux, nf_nat_core.c), and Erlang's formula."""

from __future__ import annotations

import math

from testbed.labs.reckoned import Formula, about, exactly
from testbed.plan.erlang import erlang_b, ports_for

ROWS = (128, 64, 32, 16, 8)
"""The ports that Linux tries in a row, each time from another place. A range of ROWS[0] or less is tried once."""
WHOLE_RANGE = 64_512
CALLS = 64
"""The ports in part 4."""
TARGET, OF = 0.01, 10_000

EXPECTED: dict[str, Formula] = {
    "refused-in-the-end": lambda own: exactly(math.ceil(own["ports"] * 1.1) - own["ports"]),
    "tries": lambda _: exactly(sum(ROWS)),
    "small-came-through": lambda own: exactly(own["small"]),
    "free-when-one-in": lambda own: about(WHOLE_RANGE * (1 - own["one-in"] ** (-1 / sum(ROWS))), 0.03),
    "refused-of-10000": lambda own: about(OF * erlang_b(own["erlangs"], CALLS), 0.08),
    "ports-for-one-percent": lambda own: range(
        ports_for(own["erlangs"], TARGET) - 1, ports_for(own["erlangs"], TARGET) + 2
    ),
}
