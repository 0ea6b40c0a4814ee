"""What the judges of every run return: a finding, which becomes a check, or why there was nothing to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, what is expected and what was observed, and the source of the expectation."""

    key: str
    claim: str
    expected: Any
    observed: Any
    source: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """What nobody looked at in this run, and why."""

    key: str
    why: str
