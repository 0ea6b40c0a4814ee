"""Results of runs: as records make them, and as far as they are compared."""

from __future__ import annotations

from typing import Any

from testbed.experiment.plan import Run
from testbed.run.results import Result

HELD = {"key": "held", "claim": "it holds", "expected": 1, "observed": 1, "ok": True, "source": "RFC 4787 REQ-1"}
FAILED = {**HELD, "key": "failed", "claim": "it fails", "observed": 2, "ok": False, "source": "RFC 4787 REQ-3"}


def finished(run: Run, *records: dict[str, Any], done: bool = True) -> Result:
    """Return the result of a run that told these records."""
    result = Result(run)
    for record in (*records, *([{"kind": "done"}] if done else [])):
        result.take(record)
    result.finish()
    return result


def checks(*all_of_them: dict[str, object]) -> list[dict[str, Any]]:
    """Return the records of checks."""
    return [{"kind": "check", "check": check} for check in all_of_them]


def check(
    claim: str, expected: object, observed: object, ok: bool | None = None, *, key: str = ""
) -> dict[str, object]:
    """Return a check as results have it; its key is its claim, unless given."""
    holds = expected == observed if ok is None else ok
    return {
        "key": key or claim,
        "claim": claim,
        "expected": expected,
        "observed": observed,
        "ok": holds,
        "source": "RFC",
    }


def result(gateway: str, *checks: dict[str, object], verdict: str = "pass", **outcomes: int) -> dict[str, Any]:
    """A result, as far as it is compared."""
    return {
        **{"schema": 1, "scenario": "s", "gateway": gateway, "verdict": verdict, "checks": list(checks)},
        **{"outcomes": outcomes, "duration_s": 1.0, "started": "2026-01-01", "environment": {"kernel": "6"}},
    }
