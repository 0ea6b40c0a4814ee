"""Refusing what a user wrote: the one error for it, and sentences with the key, the value and the way out."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

MOST_SHOWN = 120
"""The most characters of a wrong value that are repeated to its author."""

Model = TypeVar("Model", bound=BaseModel)


class ConfigurationError(Exception):
    """The user asked for something that is not possible. The message has the key, the value and the way out."""


def checked(model: type[Model], values: dict[str, Any], *, kind: str) -> Model:
    """Return a `model` of `values`. Raises ConfigurationError with a sentence for each wrong key.

    `kind` is what a key is called in the message, such as "setting".
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        sentences = [_sentence(model, dict(fault), kind) for fault in error.errors()]
        raise ConfigurationError("\n".join(sentences)) from None


def unknown_key(key: str, known: list[str], *, kind: str) -> str:
    """Return the sentence for a key that does not exist, with the one that may have been meant."""
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose from: {', '.join(sorted(known))}"
    return f"{kind} {key!r} is unknown: {hint}"


def _sentence(model: type[BaseModel], fault: dict[str, Any], kind: str) -> str:
    reason = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    if not fault["loc"]:
        return str(reason)  # about several keys: the model's own sentence
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return unknown_key(key, list(model.model_fields), kind=kind)
    description = model.model_fields[key].description
    return f"{kind} {key}={shown(fault['input'])} is not possible: {reason} ({description})"


def shown(value: object) -> str:
    """Return a wrong value as its author wrote it, at most its beginning."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        text = repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "(a huge number)"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
