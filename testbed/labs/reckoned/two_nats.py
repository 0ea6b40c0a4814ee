"""Lab 6, two NATs: who meets whom, how a port is guessed, and which of two NATs in a row is full."""

from __future__ import annotations

import math

from testbed.labs.reckoned import Formula, about, exactly

WHOLE_RANGE = 64_512

EXPECTED: dict[str, Formula] = {
    "pairs-that-meet": lambda _: exactly(6),
    "symmetric-meets": lambda _: exactly(1),
    "endpoints-of-adm": lambda _: exactly(2),
    "tries-for-one-half": lambda own: about(math.log(0.5) / math.log(1 - own["sockets"] / WHOLE_RANGE), 0.02),
    "home-a-gets": lambda own: exactly(own["home"]),
    "home-b-gets": lambda own: exactly(own["carrier"] - own["home"] - 1),
    "free-in-home-b": lambda own: exactly(2 * own["home"] - own["carrier"]),
}
