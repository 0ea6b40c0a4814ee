"""Words that a stranger's code wrote, before they reach a terminal."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Return a text with every control character but line breaks and tabs as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)
