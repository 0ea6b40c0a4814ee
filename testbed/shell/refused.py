"""The error of a word at the prompt that is not possible: a sentence, after which the prompt goes on."""

from __future__ import annotations


class RefusedError(Exception):
    """What was typed is wrong, or this NAT cannot do it. The message is a sentence with the way out."""
