"""The project's own gateway: what a limit of the flow table leaves room for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from controller.openflow.pipeline import base_rules
from controller.openflow.rules import Table
from controller.settings import Settings
from topologies.gateways.base import GatewayPlan, Options
from topologies.gateways.openflow.gateway import table_limits
from topologies.gateways.openflow.process import configuration
from topologies.home import Home


def plan(flow_limit: int | None, **network: Any) -> GatewayPlan:
    """Return the plan of a gateway in the topology home."""
    home = Home(clients=2, **network)
    return GatewayPlan(
        settings=Settings(flow_limit=flow_limit, external_addresses=2),
        options=Options(),
        interfaces=home.wiring["gateway"],
        mac=home.gateway_mac("gateway"),
        seed=1,
        folder=Path(),
        datapath="userspace",
    )


@pytest.mark.parametrize(
    "network",
    [{}, {"outside_mtu": 1200}, {"addresses_per_client": 4}],
    ids=["home", "a small link", "networks behind hosts"],
)
def test_a_limit_counts_the_rules_for_mappings_only(network: dict[str, Any]) -> None:
    """What always stands in a table is granted besides."""
    gateway = plan(10, **network)
    standing = Counter(rule.table for rule in base_rules(configuration(gateway)))

    assert table_limits(gateway) == {table: 10 + standing[table] for table in (Table.OUTBOUND, Table.INBOUND)}


def test_without_a_limit_the_switch_takes_any_number_of_rules() -> None:
    """The default."""
    assert table_limits(plan(None)) == {}
