"""Where data does not have the shape of its model, in words: the place, what is there, and what belongs there.

The place is a JSON pointer (RFC 6901). What is shown of a value is short, whatever it is.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from testbed.sandbox.words import harmless

SHOWN = 60
"""The characters of a wrong value that a sentence shows."""


def first_mistake(error: ValidationError, told: Any) -> str:
    """Return where in `told` the first mistake is, what is there, and what belongs there."""
    mistake = error.errors(include_url=False, include_context=False, include_input=False)[0]
    pointer, value = _pointer(mistake["loc"], told)
    if mistake["type"] == "missing":
        return f"at {pointer}: found nothing, expected this key"
    expected = mistake["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = "an object" if mistake["type"] in ("model_type", "dict_type") else expected
    return f"at {pointer or 'the top'}: found {_short(value)}, expected: {expected}"


def escaped(step: Any) -> str:
    """Return a step of a JSON pointer."""
    return harmless(str(step)).replace("~", "~0").replace("/", "~1")[: 4 * SHOWN]


def _pointer(location: tuple[int | str, ...], told: Any) -> tuple[str, Any]:
    """Return a JSON pointer and the value there; what in a location is no place in the data, is a model's name."""
    pointer, value = "", told
    for place, step in enumerate(location):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step in range(len(value)):
            value = value[int(step)]
        elif place < len(location) - 1 or not isinstance(value, dict) or step == "[key]":
            continue
        pointer += f"/{escaped(step)}"
    return pointer, value


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    text = json.dumps(value if not isinstance(value, str) else value[:SHOWN])
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."
