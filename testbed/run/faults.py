"""What code of a user's raised, as a sentence that names the file and the line, and the lines around it."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from pathlib import Path

TEMPLATES = ("<template>", "<unknown>")
"""The names that Jinja2 gives to a template without a file, as stories are."""


def sentence(error: BaseException, files: Collection[str]) -> str:
    """Return what was raised, and where: the last line in one of `files` that led to it, and that of a story.

    An error about a stranger's program is a sentence already.
    """
    name, text = type(error).__name__, _text(error)
    if _printed(error):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
        for frame in [each for each in frames if each.filename in files][-1:]
    ]
    places += [f"line {frame.lineno} of the story" for frame in frames[-1:] if frame.filename in TEMPLATES]
    return (f"{name}: {text}" if text else name) + (f" ({'; '.join(places)})" if places else "")


def lines(error: BaseException) -> str:
    """Return what a stranger's program has printed last, if it is to blame.

    Else return the traceback without its first frame, which is the caller's own.
    """
    if printed := _printed(error):
        return printed
    here = error.__traceback__
    return "".join(traceback.format_exception(error.with_traceback(here.tb_next or here if here else None)))


def _printed(error: BaseException) -> str:
    printed = getattr(error, "printed", "")  # a GatewayError's
    return printed if isinstance(printed, str) else ""


def _text(error: BaseException) -> str:
    """Return an exception's own text. To write it may fail as well."""
    try:
        return str(error)
    except Exception as failure:
        return f"its text cannot be made: {type(failure).__name__}"
