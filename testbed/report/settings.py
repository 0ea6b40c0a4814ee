"""The settings and parameters of a run as rows: those that the user chose first, each with meaning and source.

The meanings are those of this version. A parameter of a scenario in a file of one's own has none here, since a
report imports no file that results name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from controller.settings import Settings
from testbed.experiment.parameters import LinkParameters
from testbed.registry import SCENARIOS, load
from testbed.report.words import cut, words


@dataclass(frozen=True, slots=True)
class Row:
    """A setting or a parameter."""

    key: str
    value: str
    meaning: str
    source: str
    is_chosen: bool
    is_usual: bool
    """Whether it has the value that it has unless a profile, a scenario or a user changes it."""


def rows(run: Mapping[str, Any], width: int) -> tuple[list[Row], list[Row]]:
    """Return the rows that tell this run from others, those that were chosen first, and then the usual ones."""
    chosen = run.get("chosen", {})
    values = {**run.get("parameters", {}), **run.get("settings", {})}
    fields = _fields(run["scenario"])
    found = [_row(key, value, fields, key in chosen, width) for key, value in values.items()]
    telling = [row for row in found if not row.is_usual]
    return sorted(telling, key=lambda row: not row.is_chosen), [row for row in found if row.is_usual]


def _fields(scenario: str) -> Mapping[str, FieldInfo]:
    own = load("scenario", scenario).Parameters.model_fields if scenario in SCENARIOS else {}
    return {**own, **Settings.model_fields}


def _row(key: str, value: Any, fields: Mapping[str, FieldInfo], is_chosen: bool, width: int) -> Row:
    field = fields.get(key.rpartition(".")[2])
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    unit, source = extra.get("unit"), extra.get("source")
    text = words(value, width)
    if isinstance(value, int | float) and not isinstance(value, bool) and unit not in (None, "1"):
        text += f" {unit}"
    meaning = field.description if field and field.description else ""
    return Row(
        cut(key, width), text, meaning, str(source or ""), is_chosen, not is_chosen and _is_usual(key, value)
    )


def _is_usual(key: str, value: Any) -> bool:
    field = {**Settings.model_fields, **LinkParameters.model_fields}.get(key)
    if field is None:
        return False
    usual = [str(each) for each in field.default] if isinstance(field.default, list) else field.default
    return bool(value == usual)


def counted(counters: Mapping[str, int | None], most: int) -> Iterator[tuple[str, str]]:
    """Yield the counters that counted something, then one row for those at 0, and one for those not known."""
    yield from [(cut(name, 80), f"{count:,}") for name, count in counters.items() if count][:most]
    for value, found in (("0", 0), ("not known to this gateway", None)):
        names = [cut(name, 80) for name, count in counters.items() if count == found]
        if names:
            yield ", ".join(names[:most]), value
