"""Placeholders in the words of a command, such as {inside}: a name in braces stands for a fact of the wiring.

Braces around anything else are the command's own, as in a text of JSON, and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def names(words: Iterable[str]) -> list[str]:
    """Return the names in braces, in their order."""
    return [name for word in words for name in PLACEHOLDER.findall(word)]


def filled(words: Iterable[str], facts: Mapping[str, Any]) -> list[str]:
    """Return the words with the facts in them. A name that is no fact's stays as it is."""
    return [PLACEHOLDER.sub(lambda found: str(facts.get(found[1], found[0])), word) for word in words]
