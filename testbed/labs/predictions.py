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
from testbed.sandbox.words import harmless

LARGEST = 1 << 16
MOST = 10**9
"""Numbers from here on are not repeated."""
LONGEST = 40
"""The characters that are repeated of what is no number."""
GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3}){1,3}")
"""A number as runs print it."""
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
    if not found.keys() & EXPECTED.keys():
        raise WrongError("the file has none of the lines that were asked for", right)
    if name not in found:
        raise WrongError(f"there is no line `{name}: ...`", right)
    if value is None:
        raise WrongError("nothing was written", right)
    if type(value) is not int:
        raise WrongError(f"{_shown(value)}, which is no whole number", right)
    if value not in expected:
        raise WrongError(str(value) if abs(value) < MOST else "a huge number", right)
    return str(value)


def _number(value: Any) -> Any:
    """Return a whole number that was written in another way: as runs print it (2,133), or as 2133.0."""
    if isinstance(value, str) and GROUPED.fullmatch(value):
        return int(value.replace(",", ""))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < MOST else value


def _shown(value: Any) -> str:
    """Return what is no number as a student reads it again: as it was written, if it is short words."""
    if isinstance(value, str):
        return f"'{harmless(value)[:LONGEST]}'"
    return str(value) if isinstance(value, (bool, float)) else "something"
