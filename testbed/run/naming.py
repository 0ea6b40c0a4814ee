"""How a run is named by what was chosen: in a sentence, and as a folder on any filesystem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from controller.settings.extensions import is_file

ALONE = ("topology", "profile")
"""Choices whose values name them in a folder's name."""
LONGEST_FOLDER = 120
"""Bytes of a folder's name at most: paths on Windows have room for 260 characters in all."""
LONGEST_PART = 40
_MORE = len("-and-999-more-999")
"""Bytes for the number of the choices that a folder's name has no room for, and for a folder's own number."""


def label(name: str) -> str:
    """Return a short name: a registered name as it is, the name of a file without its folder."""
    path, colon, cls = name.partition(":")
    return Path(path).stem + colon + cls


def subject(run: Mapping[str, Any]) -> str:
    """Return what tells a run from others that it is compared with: its gateway, or its profile."""
    return str(run.get("compared_as") or run["gateway"])


def printable(text: str) -> str:
    """Return a text of any origin for a terminal, with a question mark for each character that is no sign."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def words(chosen: Mapping[str, Any]) -> list[str]:
    """Return what was chosen, for a sentence: `topology campus`, `ports=1024`."""
    return [
        f"{key} {_value(value)}" if key in (*ALONE, "seed") else f"{key}={_value(value)}"
        for key, value in chosen.items()
    ]


def title(scenario: str, gateway: str, chosen: Mapping[str, Any]) -> str:
    """Return the name of a run in a sentence: its scenario, its gateway, and what was chosen."""
    others = f" ({', '.join(words(chosen))})" if chosen else ""
    return f"{label(scenario)} on {label(gateway)}{others}"


def candidates(started: datetime, names: Iterable[str], chosen: Mapping[str, Any]) -> Iterator[Path]:
    """Yield paths of folders below `runs`, named by time, names and what was chosen, each with another number."""
    stamp = started.astimezone().strftime("%Y%m%d-%H%M%S")
    parts = [_part(value) if key in ALONE else f"{key}={_value(value)}" for key, value in chosen.items()]
    base = Path("runs") / _joined([stamp, *map(_part, names)], [in_file_names(part) for part in parts])
    yield base
    for count in range(2, 1000):
        yield base.with_name(f"{base.name}-{count}")


def in_file_names(text: str) -> str:
    """Return a text without what a filesystem, such as Windows's, may refuse in a file's name."""
    return re.sub(r"[^\w.,=+-]+", "_", text).rstrip(".")


def _part(name: str) -> str:
    """Return a name without a file's folder and class, not longer than a part of a folder's name may be."""
    return _cut(in_file_names(Path(name.partition(":")[0]).stem if is_file(name) else name), LONGEST_PART)


def _joined(first: list[str], parts: list[str]) -> str:
    """Return the parts with hyphens between them, as many as there is room for, and the number of the others."""
    name = "-".join(first)
    for place, part in enumerate(parts):
        if len(f"{name}-{part}".encode()) > LONGEST_FOLDER - _MORE:
            return f"{name}-and-{len(parts) - place}-more"
        name = f"{name}-{part}"
    return name


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text that has `most` bytes."""
    return text.encode()[:most].decode(errors="ignore")


def _value(value: object) -> str:
    """Return a value as it is typed. A class in a file is named without the file's folder."""
    if isinstance(value, list):
        return ",".join(map(_value, value))
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_value(each)}' for key, each in value.items())}}}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return label(value) if isinstance(value, str) and is_file(value) else str(value)
