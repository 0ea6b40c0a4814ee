"""What a user may choose about a run besides the scenario and the gateway, in one place for every command."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices, unread: names, files and `KEY=VALUE` texts. None is what the scenario or the profile says."""

    topology: str | None = None
    allocator: str | None = None
    profile: str = "plain"
    config: Path | None = None
    sets: list[str] = field(default_factory=list)
    seed: int = 1
