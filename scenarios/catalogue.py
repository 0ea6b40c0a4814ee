"""The scenarios. To add one: one file, and one line here."""

from __future__ import annotations

from scenarios.base import Scenario
from scenarios.eviction import Eviction
from scenarios.port_exhaustion import PortExhaustion
from scenarios.state_exhaustion import StateExhaustion
from scenarios.switch_table_full import SwitchTableFull

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario
    for scenario in (
        PortExhaustion,
        SwitchTableFull,
        StateExhaustion,
        Eviction,
    )
}
"""By the names that `lastport run` takes."""
