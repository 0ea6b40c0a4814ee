"""What a student predicted and saw, compared with what follows from their numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.labs.reckoned import carriers_nat
from testbed.labs.submission import content
from testbed.labs.trial import WrongError
from testbed.labs.variants import Variant
from testbed.run.written import UNREADABLE, value_of

LARGEST = 1 << 16
MOST = 10**9
"""Numbers from here on are not repeated."""
AT_ONCE = 4
"""The attempts that are under way at once in part 2, so that any of them may be the first to fail."""
PORTS, MODEST, WANTS = 64, 7, 4
"""The ports in parts 4 and 5, and the number of modest hosts with what each of them asks for."""


def _exactly(number: int) -> range:
    return range(number, number + 1)


EXPECTED: dict[str, Callable[[Variant], range]] = {
    "first-refused": lambda own: range(own["ports"] + 2 - AT_ONCE, own["ports"] + 2),
    "greedy-with-quota": lambda own: _exactly(own["quota"]),
    "modest-with-quota": lambda own: _exactly(min(WANTS, own["quota"])),
    "unused-with-quota": lambda own: _exactly(PORTS - own["quota"] - MODEST * min(WANTS, own["quota"])),
    "one-port-one-service": lambda own: _exactly(PORTS),
    "one-port-many-services": lambda own: _exactly(PORTS * own["destinations"]),
    **carriers_nat.EXPECTED,
}
"""The numbers that are right, by the names in the YAML file."""


def read(path: Path) -> dict[str, Any]:
    """Return what a student wrote. Raises ConfigurationError if it is no file of names with numbers."""
    try:
        found = value_of(content(path)[:LARGEST].decode())
    except UNREADABLE as error:
        raise ConfigurationError(f"{path} cannot be read: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} has no lines such as `first-refused: 12`")
    return found


def compared(found: dict[str, Any], variant: Variant, name: str) -> str:
    """Return what was found where it is right. Raises WrongError."""
    value, expected = found.get(name), EXPECTED[name](variant)
    right = f"{expected[0]}" if len(expected) == 1 else f"{expected[0]} to {expected[-1]}"
    if value is None:
        raise WrongError("nothing was written", right)
    if type(value) is not int or value not in expected:
        raise WrongError(str(value) if type(value) is int and abs(value) < MOST else "no such number", right)
    return str(value)
