"""The scenarios. To add one: one file, and one line here."""

from __future__ import annotations

from scenarios.base import Scenario
from scenarios.client_exhaustion import ClientExhaustion
from scenarios.eviction import Eviction
from scenarios.hole_punching import HolePunching
from scenarios.loss_curve import LossCurve
from scenarios.port_exhaustion import PortExhaustion
from scenarios.refusal_signals import RefusalSignals
from scenarios.state_exhaustion import StateExhaustion
from scenarios.switch_table_full import SwitchTableFull
from scenarios.two_nats import TwoNats

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario
    for scenario in (
        PortExhaustion,
        SwitchTableFull,
        StateExhaustion,
        Eviction,
        RefusalSignals,
        ClientExhaustion,
        TwoNats,
        HolePunching,
        LossCurve,
    )
}
"""By the names that `lastport run` takes."""
