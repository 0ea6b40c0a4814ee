"""Values with a unit, as the field writes them: `20ms` for a time, `1%` for a share, `10mbit` for a rate.

A parameter keeps the text. `seconds`, `share` and `bits` return the number that it stands for.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
SHARES = {"%": 0.01}
BITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
LONGEST_S, MOST_SHARE = 10.0, 0.5
LEAST_BITS, MOST_BITS = 8e3, 10e9
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z%]+)")


def seconds(text: str) -> float:
    """Return the seconds that a text such as `20ms` stands for. Raises ValueError."""
    return _number(text, SECONDS, "time", "20ms, 1.5s or 500us")


def share(text: str) -> float:
    """Return the share, from 0 to 1, that a text such as `1%` stands for. Raises ValueError."""
    return _number(text, SHARES, "share", "1% or 0.1%")


def bits(text: str) -> float:
    """Return the bits a second that a text such as `10mbit` stands for. Raises ValueError."""
    return _number(text, BITS, "rate", "10mbit, 512kbit or 1gbit")


def _number(text: str, units: dict[str, float], what: str, examples: str) -> float:
    written = _WRITTEN.fullmatch(text.strip().lower())
    if written is None or written[2] not in units:
        raise ValueError(f"it is no {what} with its unit; take one such as {examples}")
    return float(written[1]) * units[written[2]]


def _time(value: object) -> str:
    text = _text(value, "0ms")
    if seconds(text) > LONGEST_S:
        raise ValueError(f"it is too long; take {LONGEST_S:g}s at most")
    return text


def _share(value: object) -> str:
    text = _text(value, "0%")
    if share(text) > MOST_SHARE:
        raise ValueError(f"hardly anything arrives then; take {MOST_SHARE:.0%} at most")
    return text


def _rate(value: object) -> str:
    text = _text(value, "0mbit")
    if not LEAST_BITS <= bits(text) <= MOST_BITS:
        raise ValueError("it is out of range; take from 8kbit to 10gbit, or null for no limit")
    return text


def _text(value: object, zero: str) -> str:
    """Return a text without spaces, in lower case. Nothing needs no unit."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return zero if value in (0, "0") else "".join(str(value).lower().split())


_AS_TEXT = WithJsonSchema({"type": "string"})
Time = Annotated[str, BeforeValidator(_time), _AS_TEXT]
Share = Annotated[str, BeforeValidator(_share), _AS_TEXT]
Rate = Annotated[str, BeforeValidator(_rate), _AS_TEXT]
