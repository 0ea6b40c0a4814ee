"""What a run may report: each record from the sandbox has the shape that results have, or it ends the run.

A stranger's scenario can write to the same socket as ours do. So a record that is none ends the run, and no text
of a record moves the terminal's cursor.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from testbed.run.mistakes import first_mistake
from testbed.run.schema import Check, RunResults
from testbed.sandbox.words import harmless

KINDS: dict[str, dict[str, Any]] = {
    "phase": {"name": str},
    "progress": {"done": float, "total": float},
    "check": {"check": Check},
    "story": {"text": str},
    "broken": {"reason": str, "last_words": str},
    **{
        key: {key: RunResults.model_fields[key].rebuild_annotation()}
        for key in ("environment", "outcomes", "counters", "series", "machine")
    },
}
"""The fields of each kind of record that becomes a part of the results, or is shown. Others are for others."""
_MODELS: dict[str, type[BaseModel]] = {
    kind: create_model(kind, __config__=ConfigDict(strict=True), **fields) for kind, fields in KINDS.items()
}


def checked(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with harmless texts, or one of the kind `broken` if it has another shape than its kind."""
    kind = record["kind"]
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return record
    try:
        found = model.model_validate(record)
    except ValidationError as error:
        reason = f"it reported what no scenario reports: {kind} {first_mistake(error, record)}"
        return {"kind": "broken", "reason": reason, "last_words": ""}
    fields = {name: _harmless(value) for name, value in found.model_dump(exclude_unset=True).items()}
    return {**record, **fields}


def _harmless(value: Any) -> Any:
    """Return a value in which no text, at any depth, has a control character."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    if isinstance(value, dict):
        return {harmless(key): _harmless(each) for key, each in value.items()}
    return value
