"""The scenarios. To add one: one file, and one line here."""

from __future__ import annotations

from scenarios.address_pool import AddressPool
from scenarios.base import Scenario
from scenarios.churn import Churn
from scenarios.client_exhaustion import ClientExhaustion
from scenarios.eviction import Eviction
from scenarios.fairness import Fairness
from scenarios.hold_and_retry import HoldAndRetry
from scenarios.hole_punching import HolePunching
from scenarios.loss_curve import LossCurve
from scenarios.port_exhaustion import PortExhaustion
from scenarios.port_overlap import PortOverlap
from scenarios.protocols import Protocols
from scenarios.refusal_signals import RefusalSignals
from scenarios.release import Release
from scenarios.state_exhaustion import StateExhaustion
from scenarios.switch_table_full import SwitchTableFull
from scenarios.two_nats import TwoNats

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario
    for scenario in (
        PortExhaustion,
        PortOverlap,
        StateExhaustion,
        SwitchTableFull,
        Eviction,
        RefusalSignals,
        HoldAndRetry,
        Release,
        Churn,
        ClientExhaustion,
        LossCurve,
        Fairness,
        Protocols,
        AddressPool,
        TwoNats,
        HolePunching,
    )
}
"""By the names that `lastport run` takes."""
