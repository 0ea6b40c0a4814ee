"""What a student predicted and saw, compared with what follows from their numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.labs.reckoned import Formula, carriers_nat, how_full, out_of_ports, timers, two_nats, your_router
from testbed.labs.submission import content
from testbed.labs.trial import WrongError
from testbed.labs.variants import Variant
from testbed.run.written import UNREADABLE, value_of

LARGEST = 1 << 16
MOST = 10**9
"""Numbers from here on are not repeated."""
PRINTED = re.compile(r"\d{1,3}(,\d{3}){1,3}", re.ASCII)
EXPECTED: dict[str, Formula] = {
    **out_of_ports.EXPECTED,
    **how_full.EXPECTED,
    **timers.EXPECTED,
    **two_nats.EXPECTED,
    **your_router.EXPECTED,
    **carriers_nat.EXPECTED,
}
"""The numbers that are right, by the names in the YAML files of all labs. No two labs share a name."""


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
    value, expected = _number(found.get(name)), EXPECTED[name](variant)
    right = f"{expected[0]}" if len(expected) == 1 else f"{expected[0]} to {expected[-1]}"
    if value is None:
        raise WrongError("nothing was written", right)
    if type(value) is not int or value not in expected:
        raise WrongError(str(value) if type(value) is int and abs(value) < MOST else "no such number", right)
    return str(value)


def _number(value: Any) -> Any:
    """Return what was written; a number as the commands print it, `1,025`, without its commas."""
    is_printed = isinstance(value, str) and PRINTED.fullmatch(value)
    return int(value.replace(",", "")) if is_printed else value
