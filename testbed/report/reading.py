"""Reading results that any program may have written. What does not match the schema is refused, with its place.

The place is a JSON pointer (RFC 6901). What is read has a limit in bytes and in depth, so that no file can use up
the memory. Nothing that a file names is imported or opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from controller.settings import ConfigurationError
from testbed.run.folder import PLAN, RESULTS, SWEEP
from testbed.run.kept import BENCHED, COMPARISON, NoResultsError, contents, entered
from testbed.run.mistakes import escaped, first_mistake
from testbed.run.schema import MODELS

MOST_BYTES = 32 << 20
"""Bytes of a file at most. The results of the whole catalogue on three gateways have less than a megabyte."""
MOST_DEPTH = 32
MOST_DIGITS = 40

Kind = Literal["run", "compare", "plan", "sweep", "bench"]


@dataclass(frozen=True, slots=True)
class Read:
    """The results of a folder: one object, or one for each bench, by the names of their files."""

    kind: Kind
    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def one(self) -> dict[str, Any]:
        """The first object, which is the only one unless these are benches."""
        return next(iter(self.files.values()))


def read(path: Path) -> Read:
    """Return what a folder's results hold. Raises ConfigurationError that says what is wrong, and where."""
    try:
        with entered(path, follow=True) as folder:
            for kind, names in _names().items():
                found = {name: text for name in names if (text := contents(folder, name, most=MOST_BYTES))}
                if found:
                    return Read(kind, path, {name: parsed(text[0], kind, name) for name, text in found.items()})
    except NoResultsError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    raise ConfigurationError(
        f"{path}: it has no results; name a folder that `lastport runs` lists, with {RESULTS}, {COMPARISON}, "
        f"{PLAN}, {SWEEP} or the file of a bench"
    )


def _names() -> dict[Kind, list[str]]:
    return {
        "run": [RESULTS],
        "compare": [COMPARISON],
        "plan": [PLAN],
        "sweep": [SWEEP],
        "bench": [*BENCHED.values()],
    }


def parsed(text: bytes, kind: Kind, name: str) -> dict[str, Any]:
    """Return the object in a file. Raises ConfigurationError with the place where it does not match the schema."""
    try:
        told = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except RecursionError:
        raise ConfigurationError(f"{name} is no result of lastport: it is nested too deeply") from None
    except ValueError as error:
        raise ConfigurationError(f"{name} is no JSON: {error}") from None
    if deep := _too_deep(told):
        raise ConfigurationError(f"{name} does not match its schema: at {deep}: nested too deeply")
    try:
        MODELS[kind].model_validate(told, by_alias=True)
    except ValidationError as error:
        raise ConfigurationError(f"{name} does not match its schema: {first_mistake(error, told)}") from None
    except RecursionError:
        raise ConfigurationError(f"{name} is no result of lastport: it is nested too deeply") from None
    return told  # type: ignore[no-any-return] # the model is one of an object


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def _too_deep(told: Any) -> str:
    """Return the place of a value that is nested too deeply, or an empty text."""
    level: list[tuple[str, Any]] = [("", told)]
    for _ in range(MOST_DEPTH):
        level = [(f"{place}/{escaped(key)}", each) for place, value in level for key, each in _inside(value)]
        if not level:
            return ""
    return level[0][0]


def _inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield keys and values of what may itself have values inside."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        yield from ((key, each) for key, each in pairs if isinstance(each, dict | list))
