"""The settings and parameters of a run as rows: those that the user chose first, each with meaning and source.

The meanings are those of this version. A parameter of a scenario in a file of one's own has none here, and nor has
an option of such a gateway, since a report imports no file that results name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from controller.settings import Settings
from testbed.experiment.parameters import LinkParameters
from testbed.registry import KINDS, SCENARIOS, load
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
    options = _options(run["gateway"])
    fields = {**_parameters(run["scenario"]), **options, **Settings.model_fields}
    always = {**options, **Settings.model_fields, **LinkParameters.model_fields}
    found = [_row(key, value, fields, always, key in chosen, width) for key, value in values.items()]
    telling = [row for row in found if not row.is_usual]
    return sorted(telling, key=lambda row: not row.is_chosen), [row for row in found if row.is_usual]


def _parameters(scenario: str) -> Mapping[str, FieldInfo]:
    return load("scenario", scenario).Parameters.model_fields if scenario in SCENARIOS else {}


def _options(gateway: str) -> Mapping[str, FieldInfo]:
    return load("gateway", gateway).Options.model_fields if gateway in KINDS["gateway"].ours else {}


def _row(
    key: str,
    value: Any,
    fields: Mapping[str, FieldInfo],
    always: Mapping[str, FieldInfo],
    is_chosen: bool,
    width: int,
) -> Row:
    """Return a row. `always` are the fields whose default is that of every scenario."""
    field = fields.get(key.rpartition(".")[2])
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    unit, source = extra.get("unit"), extra.get("source")
    text = words(value, width)
    if isinstance(value, int | float) and not isinstance(value, bool) and unit not in (None, "1"):
        text += f" {unit}"
    meaning = field.description if field and field.description else ""
    is_usual = not is_chosen and _is_usual(value, always.get(key))
    return Row(cut(key, width), text, meaning, str(source or ""), is_chosen, is_usual)


def _is_usual(value: Any, field: FieldInfo | None) -> bool:
    if field is None:
        return False
    is_list = isinstance(field.default, list | tuple)
    return bool(value == ([str(each) for each in field.default] if is_list else field.default))


def counted(counters: Mapping[str, int | None], most: int) -> Iterator[tuple[str, str]]:
    """Yield the counters that counted something, then one row for those at 0, and one for those not known."""
    yield from [(cut(name, 80), f"{count:,}") for name, count in counters.items() if count][:most]
    for value, found in (("0", 0), ("not known to this gateway", None)):
        names = [cut(name, 80) for name, count in counters.items() if count == found]
        if names:
            yield ", ".join(names[:most]), value
