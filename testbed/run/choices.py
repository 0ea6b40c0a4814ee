"""What a user may choose about a run besides the scenario and the gateway, for every command that runs one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Choices:
    """A user's choices, not yet checked: names, files and `KEY=VALUE` texts. None leaves the scenario's own."""

    topology: str | None = None
    allocator: str | None = None
    profile: str = "plain"
    config: Path | None = None
    sets: list[str] = field(default_factory=list)
    seed: int = 1
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The kinds of single gateways, by their names."""
    by_command: bool = False
    """Whether a command asks in place of a scenario: one of `registry.COMMANDS`."""
