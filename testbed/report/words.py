"""Values and texts of any origin as a reader meets them: in words, and not longer than there is room for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

REPLACED = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that is no sign, such as a control character or one that turns the text round."""
MORE = "..."
DEEPEST = 3
"""Lists in lists of which the values are shown."""
HUGE = 1e15
"""A number from here on is shown by its power of ten."""


def clean(text: str) -> str:
    """Return a text whose characters are all signs, spaces or ends of lines."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else REPLACED for each in text)


def cut(text: object, most: int) -> str:
    """Return the beginning of a text that has `most` characters, with dots if that is not all of it."""
    whole = str(text)
    return clean(whole if len(whole) <= most else whole[: max(0, most - len(MORE))] + MORE)


def is_number(value: object) -> bool:
    """Whether a value is a number that can be drawn."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < HUGE * HUGE
        and math.isfinite(value)
    )


def number(value: float) -> str:
    """Return a number with commas, and not more digits of a fraction than anybody reads."""
    if isinstance(value, int) and abs(value) < HUGE:
        return f"{value:,}"
    if not is_number(value):
        return cut(value, 24)
    if abs(value) >= HUGE or 0 < abs(value) < 1e-4:
        return f"{value:.3e}"
    return f"{round(value, 3 if abs(value) < 1000 else 1):,}".removesuffix(".0") if value else "0"


def words(value: Any, most: int = 200, depth: int = 0) -> str:
    """Return a value in words: a list with commas, an object as `key: value`, and null as `none`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return cut(value, most)
    if depth == DEEPEST:
        return MORE
    if isinstance(value, dict):
        parts = (f"{cut(key, most)}: {words(each, most, depth + 1)}" for key, each in value.items())
        return cut(_joined(parts, most) or "nothing", most)
    return cut(_joined((words(each, most, depth + 1) for each in value), most) or "none", most)


def _joined(parts: Iterable[str], most: int) -> str:
    """Return as many parts as there is room for, with commas between them."""
    text = ""
    for part in parts:
        text += f", {part}" if text else part
        if len(text) > most:
            break
    return text


def instant(text: str) -> str:
    """Return a time of ISO 8601 as people write it, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def listed(names: Sequence[str]) -> str:
    """Return names with commas, and with `and` before the last."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def title_of(key: str) -> str:
    """Return the name of a key or a column as words begin: `port_back` is `Port back`."""
    text = key.removesuffix("_s").replace("_", " ").strip() + (" (s)" if key.endswith("_s") else "")
    return text[:1].upper() + text[1:]
