"""The names of everything that a user can choose, by the lists of `lastport list`.

Names alone need no class, so that a shell that completes them need not wait for Mininet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from testbed.registry import BENCHES, FOREIGN, GATEWAYS, SCENARIOS, TOPOLOGIES

LABS = Path(__file__).resolve().parents[2] / "docs" / "labs"
"""The folder of the lab sheets, which begin with their number."""


def _allocators() -> list[str]:
    from controller.nat.strategies.allocators import ALLOCATORS

    return list(ALLOCATORS)


def _policies() -> list[str]:
    from controller.nat.strategies.exhaustion import POLICIES

    return list(POLICIES)


def _profiles() -> list[str]:
    from controller.settings.profiles import NAMES

    return list(NAMES)


def _settings() -> list[str]:
    from controller.settings import Settings

    return list(Settings.model_fields)


def _labs() -> list[str]:
    return sorted(path.stem for path in LABS.glob("[0-9]*.md"))


NAMES: dict[str, Callable[[], list[str]]] = {
    "scenarios": lambda: list(SCENARIOS),
    "topologies": lambda: list(TOPOLOGIES),
    "gateways": lambda: [*GATEWAYS, *FOREIGN],
    "allocators": _allocators,
    "policies": _policies,
    "profiles": _profiles,
    "settings": _settings,
    "benches": lambda: list(BENCHES),
    "labs": _labs,
}
"""For each list, a function that returns its names."""
