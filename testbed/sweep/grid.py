"""The combinations of a sweep: `--grid KEY=V1,V2,...` for each key that takes several values."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError
from testbed.run.written import UNREADABLE, value_of

MOST_COMBINATIONS = 10_000
Combination = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of each key, in the order in which they were given."""

    values: Mapping[str, Sequence[Any]]

    def combinations(self) -> list[Combination]:
        """Return every combination, the last key changing fastest."""
        return [dict(zip(self.values, each, strict=True)) for each in itertools.product(*self.values.values())]


def name_of(combination: Mapping[str, Any]) -> str:
    """Return a combination in words, such as `ports=64 gateway=netfilter`."""
    return " ".join(f"{key}={_word(value)}" for key, value in combination.items()) or "as given"


def grid_of(texts: Sequence[str], placed: Callable[[str, Any], Any] = lambda key, value: value) -> Grid:
    """Return the grid of the `--grid` options, each value `placed`. Raises ConfigurationError for what is none."""
    values: dict[str, list[Any]] = {}
    for text in texts:
        key, several = _read(text, placed)
        if key in values:
            raise ConfigurationError(f"--grid {key} is there twice; take one list with all of its values")
        if key == "seed":
            raise ConfigurationError(
                "--grid seed=...: every combination has the same seeds; take --repeat and --seed"
            )
        values[key] = several
    count = 1
    for several in values.values():
        count *= len(several)
    if count > MOST_COMBINATIONS:
        raise ConfigurationError(
            f"--grid has {count:,} combinations, and there may be {MOST_COMBINATIONS:,}; take fewer values"
        )
    return Grid(values)


def _read(text: str, placed: Callable[[str, Any], Any]) -> tuple[str, list[Any]]:
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not key or not listed.strip():
        raise ConfigurationError(f"--grid {text!r} is not KEY=V1,V2,...; take --grid ports=64,128")
    try:
        values = [placed(key, value) for value in value_of(f"[{listed}]")]
    except UNREADABLE as error:
        why = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigurationError(f"--grid {text!r}: the values cannot be read: {why}") from None
    written = [json.dumps(value, default=str) for value in values]
    if twice := [each for each in written if written.count(each) > 1]:
        raise ConfigurationError(f"--grid {key} has {twice[0]} twice; take each value once")
    return key, values


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
