"""How the ports of each external address are written: a number, ranges, or a PSID.

- `256` is that number of ports, from 1024 upward.
- `4096-4111`, or a list such as `[4096-4111, 8192-8207]`, is one range or several (RFC 8512 port-range).
- `{psid_offset: 4, psid_len: 8, psid: 0x34}` is what an address shared by MAP-E has for one subscriber (RFC 7597
  section 5.1, RFC 8512 port-set-algo): every port whose `psid_len` bits after the first `psid_offset` are `psid`,
  and whose first bits are not all 0, unless there are none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from controller.nat.port_set import NUMBERS, Ports, united
from controller.settings.checking import shown as wrong

FIRST_PORT = 1024
"""The first port of every pool: 0 to 1023 belong to the system (RFC 6056 section 3.2)."""
MOST_PORTS = NUMBERS - FIRST_PORT
MOST_PORT = NUMBERS - 1
BITS = 16
PSID_KEYS = ("psid_offset", "psid_len", "psid")

Written = int | list[str] | dict[str, int]
"""Ports as they are written, of one of the three kinds."""
RANGES, PSID = "[4096-4111, 8192-8207]", "{psid_offset: 4, psid_len: 8, psid: 0x34}"
"""Examples."""
ALLOWED = f"1 to {MOST_PORTS:,}, ranges such as {RANGES}, or a PSID such as {PSID}"


def as_written(value: object) -> Written:
    """Return how ports are to be written, for what a user wrote. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_PORTS:
            raise ValueError(f"a number of ports should be from 1 to {MOST_PORTS}")
        return value
    if isinstance(value, dict):
        return _as_psid(value)
    ranges = as_ranges(value, allowed=ALLOWED)
    if not ranges:
        raise ValueError("there is none; take one at least")
    low = next((each for each in ranges if _range(each).start < FIRST_PORT), None)
    if low is not None:
        raise ValueError(f"{low} begins below {FIRST_PORT}, and those ports belong to the system")
    return ranges


def as_ranges(value: object, *, allowed: str = f"ranges such as {RANGES}") -> list[str]:
    """Return ranges such as `4096-4111`, and single ports. Raises ValueError, also for a port in two of them."""
    given = value if isinstance(value, list) else [value]
    ranges = [_written(_range(each, allowed)) for each in given]
    in_order = sorted(map(_range, ranges), key=lambda each: each.start)
    for lower, upper in itertools.pairwise(in_order):
        if upper.start < lower.stop:
            raise ValueError(f"{_written(lower)} and {_written(upper)} have ports in common; take each port once")
    return ranges


def shown(ports: Written) -> str:
    """Return ports as `--set` takes them."""
    if isinstance(ports, int):
        return str(ports)
    if isinstance(ports, dict):
        return f"{{{', '.join(f'{key}: {ports[key]}' for key in PSID_KEYS)}}}"
    return f"[{', '.join(ports)}]"


def usable(ports: Written, reserved: Iterable[str]) -> Ports:
    """Return the ports that mappings may have: those that are written, without the reserved ones."""
    return united(_ranges(ports), without=map(_range, reserved))


def _ranges(ports: Written) -> Iterable[range]:
    if isinstance(ports, int):
        return [range(FIRST_PORT, FIRST_PORT + ports)]
    return _ranges_of_psid(*(ports[key] for key in PSID_KEYS)) if isinstance(ports, dict) else map(_range, ports)


def _ranges_of_psid(offset: int, length: int, psid: int) -> list[range]:
    """Return a PSID's ranges, one for each value of the first bits."""
    size = 1 << (BITS - offset - length)
    firsts = range(1, 1 << offset) if offset else range(1)
    starts = [(first << (BITS - offset)) | (psid * size) for first in firsts]
    return [range(start, start + size) for start in starts]


def _as_psid(value: dict[Any, Any]) -> dict[str, int]:
    if set(value) != set(PSID_KEYS) or any(type(each) is not int for each in value.values()):
        raise ValueError(f"give {', '.join(PSID_KEYS[:-1])} and {PSID_KEYS[-1]}, each an integer")
    offset, length, psid = (value[key] for key in PSID_KEYS)
    if not (0 <= offset < BITS and 0 <= length <= BITS - offset):
        raise ValueError(f"psid_offset and psid_len should be 0 or more, and together {BITS} bits at most")
    if not 0 <= psid < 1 << length:
        raise ValueError(f"a psid of {length} bits should be from 0 to {(1 << length) - 1}")
    first = _ranges_of_psid(offset, length, psid)[0].start
    if first < FIRST_PORT:
        raise ValueError(
            f"its ports begin at {first}, below {FIRST_PORT}, and those belong to the system; take a psid_offset "
            "from 1 to 6"
        )
    return {key: value[key] for key in PSID_KEYS}


def _range(text: object, allowed: str = "") -> range:
    """Return the ports of a range such as `4096-4111`, or of a single port. Raises ValueError."""
    first, dash, last = str(text).partition("-")
    numbers = [first.strip(), last.strip() if dash else first.strip()]
    if isinstance(text, bool) or not all(each.isascii() and each.isdigit() and len(each) <= 5 for each in numbers):
        raise ValueError(f"{wrong(text)} is no port or range; take {allowed}")
    low, high = map(int, numbers)
    if not 1 <= low <= high <= MOST_PORT:
        raise ValueError(f"{text} is no range of ports; take FIRST-LAST, from 1 to {MOST_PORT}")
    return range(low, high + 1)


def _written(ports: range) -> str:
    return f"{ports.start}-{ports[-1]}" if len(ports) > 1 else f"{ports.start}"
