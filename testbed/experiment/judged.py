"""The checks that follow every scenario, whatever it asks: their keys, and how a reader meets them.

Where they hold, one line says so. Each that fails is shown as any other check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FRAMES = ("lost", "doubled", "delayed", "reordered", "damaged", "rewritten", "unsent")
JUDGED = (
    *("leaks", "sharing", "sources", "astray-outside", "astray-inside", "unanswered"),
    *("fragmented", "protocols", "quoted"),
    *("transfer", "counters", "port-order"),
    *(f"frames-{what}" for what in FRAMES),
)
"""The keys of the checks that follow every scenario."""
CLAIM = (
    "checks that follow every scenario: leaks, sharing, what went astray, a transfer, single packets, counters, "
    "order of ports"
)


def in_short(checks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a run's checks for a reader: of those that follow every scenario, each that failed, and one row."""
    checks = list(checks)
    held = [check for check in checks if check["key"] in JUDGED and check["ok"]]
    shown = [check for check in checks if check not in held]
    row = {"key": "judged", "claim": CLAIM, "expected": len(held), "observed": len(held), "ok": True, "source": ""}
    return [*shown, row] if held else shown
