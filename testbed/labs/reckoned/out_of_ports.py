"""Lab 1, out of ports: what a port, a quota and several destinations have to do with the number of connections."""

from __future__ import annotations

from testbed.labs.reckoned import Formula, exactly

AT_ONCE = 4
"""The attempts that are under way at once in part 2, so that any of them may be the first to fail."""
PORTS, MODEST, WANTS = 64, 7, 4
"""The ports in parts 4 and 5, and the number of modest hosts with what each of them asks for."""

EXPECTED: dict[str, Formula] = {
    "first-refused": lambda own: range(own["ports"] + 2 - AT_ONCE, own["ports"] + 2),
    "greedy-with-quota": lambda own: exactly(own["quota"]),
    "modest-with-quota": lambda own: exactly(min(WANTS, own["quota"])),
    "unused-with-quota": lambda own: exactly(PORTS - own["quota"] - MODEST * min(WANTS, own["quota"])),
    "one-port-one-service": lambda _: exactly(PORTS),
    "one-port-many-services": lambda own: exactly(PORTS * own["destinations"]),
}
