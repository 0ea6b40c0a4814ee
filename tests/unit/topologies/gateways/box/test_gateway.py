"""What is decided about a run with a box: what its owner has to state, how it is spared, where its cables are."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.registry import ours
from testbed.run import launch
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.support.paths import ROOT
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.box.gateway import BoxGateway
from topologies.gateways.box.options import BoxOptions

CABLES = ("inside=eth1", "outside=eth2")
TIMERS = ("tcp_rst_timeout=10", "tcp_trans_close_timeout=10")


def decided(scenario: str, *sets: str, topology: str | None = None) -> Run:
    """Return the run that a user's choices lead to."""
    return resolve(scenario, "box", Choices(topology=topology, sets=[*CABLES, *sets]), datapath="userspace")


def declared(scenario: str, *sets: str) -> Behaviour:
    """Return what is declared of the box in a run."""
    run = decided(scenario, *sets)
    return BoxGateway.declare(run.settings, BoxOptions.model_validate(run.options))


def test_a_box_has_two_cables_in_edge_and_answers_for_its_addresses() -> None:
    """`external` stands for the setting external_addresses."""
    asked = ("ports=64", "exhaust=true", *TIMERS, "clients=2", "external=[192.0.2.7,192.0.2.8]")
    run = decided("port-exhaustion", *asked)

    assert run.topology == "edge"
    assert [str(each) for each in run.settings.external_addresses] == ["192.0.2.7", "192.0.2.8"]
    inside, outside = run.cables["box-inside"], run.cables["box-outside"]
    assert (inside.interface, outside.interface) == ("eth1", "eth2")
    assert (inside.answers, inside.ours) == (("10.0.255.254",), ("10.0.0.1", "10.0.0.2"))
    assert (outside.answers, outside.ours) == (("192.0.2.7", "192.0.2.8"), ("192.0.2.254",))


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("outside=eth1",), "setting outside=eth1: that is the interface of inside=eth1 as well"),
        (("inside=null",), "inside is not chosen: --set inside=eth1 --set outside=eth2"),
        (("external=192.0.2.7", "external_addresses=[192.0.2.8]"), "contradict each other: give one of them"),
        (("ports=[1024-1031, 1040-1047]", "exhaust=true", *TIMERS), "a box is taken to have one"),
        (("external=198.51.100.9",), "198.51.100.9 is not on it"),
        (("connection_rate=0.5",), "setting connection_rate=0.5 is not possible"),
        (("external=abc",), "setting external='abc' is not possible: Input is not a valid IPv4"),
        (("external=[192.0.2.7, 2001:db8::1]",), "setting external='2001:db8::1' is not possible: "),
        (("external=[]",), "setting external=[] is not possible: it has no address; give one, or leave it out"),
    ],
)
def test_what_cannot_be_true_of_a_box_is_refused(sets: tuple[str, ...], words: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigurationError) as refused:
        decided("port-exhaustion", *sets)

    assert words in str(refused.value)


def test_what_a_scenario_wants_of_a_box_has_to_be_stated() -> None:
    """Else its checks would blame the box for what nobody asked of it."""
    with pytest.raises(ConfigurationError) as refused:
        decided("port-exhaustion", "exhaust=true", "tcp_rst_timeout=10")

    told = str(refused.value)
    assert "needs a NAT with ports=256, tcp_trans_close_timeout=1" in told
    assert told.endswith("state what it has: --set ports=256 --set tcp_trans_close_timeout=SECONDS")
    assert decided("port-exhaustion", "exhaust=true", "ports=256", *TIMERS).settings.port_count == 256


def test_over_udp_the_timer_by_which_ports_come_back_has_to_be_stated_as_well() -> None:
    """No packet ends a UDP mapping."""
    full = ("exhaust=true", "ports=256", "protocol=udp", *TIMERS)
    with pytest.raises(ConfigurationError, match="needs a NAT with udp_timeout="):
        decided("port-exhaustion", *full)

    assert decided("port-exhaustion", *full, "udp_timeout=30").settings.udp_timeout == 30


@pytest.mark.parametrize("ports", [16, 64512])
def test_nothing_fills_a_box_unless_its_owner_says_so(ports: int) -> None:
    """Neither its ports nor a table of unknown size."""
    with pytest.raises(ConfigurationError, match=r"While it is full, it serves nobody\..*--set exhaust=true"):
        decided("port-exhaustion", f"ports={ports}", *TIMERS)

    assert decided("port-exhaustion", f"ports={ports}", *TIMERS, "exhaust=true")


def test_a_rate_by_the_clock_that_is_higher_than_the_most_is_refused() -> None:
    """With the value that would do."""
    with pytest.raises(ConfigurationError, match="connection_rate=1 is the most; if the box bears it: --set conn"):
        decided("churn", "ports=64", *TIMERS, "exhaust=true", "connection_rate=1")


def test_what_is_stated_is_declared_and_nothing_is_known_besides() -> None:
    """Unless stated, nobody asks how it filters."""
    full = ("ports=32", "exhaust=true")
    stated = declared("protocols", *full, "mapping_type=edm", "filtering_type=eif")
    usual = declared("protocols", *full)

    assert (stated.mapping.value, stated.filtering.value) == ("edm", "eif")
    assert (usual.mapping.value, usual.filtering.value) == ("eim", "unknown")
    assert usual.pooling.value == "unknown"
    assert usual.keeps_source_port.value is None
    assert declared("protocols", *full, "port_allocation_type=preserving").keeps_source_port.value is True


@pytest.mark.parametrize("topology", ["home", "carrier"])
def test_a_network_with_more_than_one_interface_on_a_side_is_refused(topology: str) -> None:
    """A box has two cables."""
    with pytest.raises(ConfigurationError, match="take --topology edge"):
        decided("port-exhaustion", "ports=64", *TIMERS, "exhaust=true", topology=topology)


def test_a_network_with_two_nats_is_refused() -> None:
    """A box is one, and its two cables are not there twice."""
    with pytest.raises(ConfigurationError) as refused:
        decided("hole-punching", "ports=64", "exhaust=true", "filtering_type=edf", *TIMERS)

    told = str(refused.value)
    assert told.startswith("gateway box is not possible with topology 'two-homes': it has 2 NATs, and ")
    assert told.endswith("is one device between two interfaces; take another --gateway")


def test_the_recipe_s_table_has_exactly_the_scenarios_that_such_a_router_is_asked() -> None:
    """A row that begins with `those` has the scenarios of the row above as well."""
    recipe = (ROOT / "docs" / "how" / "box.md").read_text().partition("## What it is asked")[2]
    words, _, rest = recipe.partition("|---|---|\n")
    stated = re.findall(r"`(\w+=\w+)`", words)
    asked: set[str] = set()
    for row in rest.partition("\n\n")[0].splitlines():
        _, choices, scenarios, _ = row.split("|")
        above = asked if scenarios.startswith(" those") else set()
        asked = above | {*re.findall("`(.+?)`", scenarios)}
        sets = [*stated, *re.findall("`(.+?)`", choices)]
        assert asked == {each for each in ours("scenario") if is_possible(each, *sets)}, row


def is_possible(scenario: str, *sets: str) -> bool:
    """Whether a run is not refused."""
    with suppress(ConfigurationError):
        return bool(decided(scenario, *sets))
    return False


def test_a_file_of_ones_own_gets_no_way_to_interfaces_of_the_machine() -> None:
    """It runs behind walls."""
    own = str(ROOT / "docs" / "examples" / "who_answers_scenario.py")
    run = decided("protocols", "ports=32", "exhaust=true").model_copy(update={"scenario": own})

    with pytest.raises(ConfigurationError, match="has no way to interfaces of the machine"):
        launch._taken(run)


def test_new_connections_are_few_unless_more_are_asked_for() -> None:
    """And a box is not filled."""
    assert (BoxOptions().connection_rate, BoxOptions().exhaust) == (100, False)
