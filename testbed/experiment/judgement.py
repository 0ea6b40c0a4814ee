"""What the judges of every run return: a finding, which becomes a check, or why there was nothing to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BEARS_S = 1.0
"""The seconds by which the run's processes may be late, as most checks see it: a client sends again after that."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, what is expected and what was observed, and the source of the expectation."""

    key: str
    claim: str
    expected: Any
    observed: Any
    source: str
    bears: float | None = BEARS_S
    """The seconds by which the run's processes may be late, as this check sees it; None for any."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """What nobody looked at in this run, and why."""

    key: str
    why: str
