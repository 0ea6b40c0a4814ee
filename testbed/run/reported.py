"""What a run may report: the shape of each record from the sandbox.

A stranger's scenario can write to the same socket as ours do. So a record that is none ends the run, and no text
of a record moves the terminal's cursor.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from testbed.sandbox.words import harmless


def _harmless(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(harmless)]
Shown = Annotated[Any, AfterValidator(_harmless)]


class Check(BaseModel):
    """A check, as `Experiment.check` reports it."""

    key: Text
    claim: Text
    expected: Shown
    observed: Shown
    ok: bool
    source: Text


class Series(BaseModel):
    """The series that the terminal shows; there may be any others."""

    model_config = ConfigDict(extra="allow")

    capture: dict[str, dict[str, int]] = {}
    not_looked_at: dict[Text, Text] = {}


SHAPES: dict[str, dict[str, Any]] = {
    "begun": {},
    "phase": {"name": Text},
    "progress": {"done": float, "total": float},
    "check": {"check": Check},
    "environment": {"environment": dict[Text, Text]},
    "outcomes": {"outcomes": dict[Text, int]},
    "counters": {"counters": dict[Text, int | None]},
    "series": {"series": Series},
    "machine": {"machine": dict[str, Any]},
    "story": {"text": Text},
    "broken": {"reason": Text, "last_words": Text},
}
"""The fields of each kind of record that has any. Other kinds are for others."""
_ADAPTERS = {kind: {name: TypeAdapter(shape) for name, shape in fields.items()} for kind, fields in SHAPES.items()}


def checked(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with harmless texts, or one of the kind `broken` if it has another shape than its kind."""
    kind, adapters = record["kind"], _ADAPTERS.get(str(record["kind"]), {})
    found = {"kind": kind, **record}
    for name, adapter in adapters.items():
        try:
            value = adapter.validate_python(record.get(name), strict=True)
        except ValidationError as error:
            why = error.errors(include_url=False)[0]
            place = ".".join(map(str, (name, *why["loc"])))
            reason = f"it reported what no scenario reports: {harmless(str(kind))} with {place}: {why['msg']}"
            return {"kind": "broken", "reason": reason, "last_words": ""}
        found[name] = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
    return found
