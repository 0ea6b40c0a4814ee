"""The scenarios. To add one: one file, and one line here."""

from __future__ import annotations

from scenarios.base import Scenario
from scenarios.port_exhaustion import PortExhaustion

SCENARIOS: dict[str, type[Scenario]] = {scenario.name: scenario for scenario in (PortExhaustion,)}
"""By the names that `lastport run` takes."""
