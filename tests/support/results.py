"""Results of runs, as far as they are compared."""

from __future__ import annotations

from typing import Any


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
