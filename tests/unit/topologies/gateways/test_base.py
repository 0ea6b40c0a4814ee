"""What a gateway need not have: a NAT without an answer gives the base's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mininet.node import Switch

from controller.settings import Settings
from testbed.registry import load, ours
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, Options
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.openflow.gateway import OpenFlowGateway


class Minimal(Switch, Gateway):
    """A gateway with what every gateway must have, and nothing else."""

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 (Mininet's name)
        """Start none: it needs root."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Declare what our own does."""
        return OpenFlowGateway.declare(settings, options)


PLAN = GatewayPlan(
    settings=Settings(),
    options=Options(),
    interfaces=[],
    mac="02:00:0a:00:ff:fe",
    seed=1,
    folder=Path("/nowhere"),
    datapath="userspace",
)


@pytest.fixture
def minimal() -> Minimal:
    """Such a gateway, made as the lab makes one: prepared with its plan."""
    return Minimal("gateway", dpid="1", **Minimal.prepare(PLAN))


def test_a_gateway_that_declares_nothing_is_none() -> None:
    """It is abstract, and says which method it lacks."""
    with pytest.raises(TypeError, match="declare"):
        Gateway()  # type: ignore[abstract]


def test_its_constructor_gets_the_plan(minimal: Minimal) -> None:
    """Unless it prepares something else."""
    assert minimal.params["plan"] is PLAN


def test_it_knows_no_counter_and_is_ready_at_once(minimal: Minimal) -> None:
    """No process is watched, and results name none of its programs."""
    minimal.wait_ready()

    assert minimal.counters("tcp") == {}
    assert minimal.processes() == []
    assert minimal.environment() == {}


def test_it_refuses_to_flush(minimal: Minimal) -> None:
    """With the method that it lacks."""
    with pytest.raises(GatewayError) as refused:
        minimal.flush()

    assert str(refused.value) == (
        "Minimal cannot end its mappings at once: it has no method flush; take another gateway"
    )


def test_it_follows_every_setting_unless_it_restricts_one() -> None:
    """And has no settings of its own."""
    Minimal.check(Settings(ports=7, on_exhaustion="reset"), Minimal.Options())

    assert (Minimal.settings, Minimal.needs, Minimal.restrictions) == ({}, (), ())


@pytest.mark.parametrize("name", [name for name, cls in ours("gateway").items() if cls.followed is not None])
def test_a_setting_is_followed_or_restricted_and_never_both(name: str) -> None:
    """What is neither is refused (see `test_following.py`), so a new setting needs no line in a gateway."""
    gateway = ours("gateway")[name]
    restricted = {restriction.key for restriction in gateway.restrictions}

    assert {*gateway.followed, *restricted} <= {*Settings.model_fields}
    assert not restricted & {*gateway.followed}


@pytest.mark.parametrize(
    ("name", "follows"),
    [
        ("openflow", True),
        ("netfilter", True),
        ("ovs-ct", False),
        ("app", False),
        ("slirp", False),
        ("passt", False),
    ],
)
def test_a_scenario_proposes_a_setting_only_where_the_gateway_follows_it(name: str, follows: bool) -> None:
    """A quota is nobody's affair but that of a NAT that counts ports of a subscriber."""
    assert load("gateway", name).follows("port_quota") is follows
