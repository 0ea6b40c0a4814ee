"""What a program is given to know, in which networks it can stand, and that a run with it is walled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError, Settings
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.strangers import walled
from tests.support.paths import ROOT
from topologies.edge import Edge
from topologies.gateways.program.gateway import facts_of
from topologies.gateways.program.options import PLACEHOLDERS

EXAMPLE = ROOT / "docs" / "examples" / "programs" / "packet_nat.py"
PROGRAM = f"program=python3 {EXAMPLE} {{inside}} {{outside}}"


def test_a_program_is_told_its_interfaces_addresses_pool_and_timers() -> None:
    """Each fact that is no list stands for a placeholder, and none of them is OpenFlow's."""
    built = Edge(clients=2)
    told = facts_of(Settings(ports=256), built.wiring["gateway"], "02:00:0a:00:ff:fe", "in0", "out0")

    assert (told["inside"], told["outside"], told["external"]) == ("in0", "out0", "192.0.2.1")
    assert (told["lan_ip"], told["next_hop"], told["last_port"]) == ("10.0.255.254", "192.0.2.254", 1279)
    assert {name for name, value in told.items() if not isinstance(value, list)} == {*PLACEHOLDERS}


def test_every_fact_stands_in_the_table_of_the_recipe() -> None:
    """A new fact needs a row."""
    recipe = (ROOT / "docs" / "how" / "program.md").read_text()

    assert [name for name in PLACEHOLDERS if f"`{name}`" not in recipe] == []


@pytest.mark.parametrize(("topology", "shown"), [("home", "there are 8 and 2"), ("carrier", "and 2")])
def test_a_network_with_more_than_one_interface_on_a_side_is_refused(topology: str, shown: str) -> None:
    """With the name of one in which the program can stand."""
    with pytest.raises(ConfigurationError, match=shown) as refused:
        resolve("port-exhaustion", "program", Choices(topology=topology, sets=[PROGRAM]), datapath="userspace")

    assert "take --topology edge" in str(refused.value)


def test_churn_is_asked_only_where_half_a_pool_shows() -> None:
    """By default the time after a close is long beside the second by which a port may be late."""
    run = resolve("churn", "program", Choices(sets=[PROGRAM]), datapath="userspace")
    with pytest.raises(ConfigurationError, match="lost half its ports; take tcp_trans_close_timeout=3") as refused:
        resolve("churn", "program", Choices(sets=[PROGRAM, "tcp_trans_close_timeout=0.4"]), datapath="userspace")

    assert run.settings.tcp_trans_close_timeout == run.settings.tcp_rst_timeout == 3
    assert "1.6 s later than after the 0.7 s" in str(refused.value)


def test_edge_is_a_way_out_only_where_the_question_is_about_one_nat() -> None:
    """The network edge has no home behind a carrier's NAT."""
    with pytest.raises(ConfigurationError) as refused:
        resolve("two-nats", "program", Choices(sets=[PROGRAM]), datapath="userspace")

    assert str(refused.value).endswith("take --topology edge for a question about one NAT, or another --gateway")


def test_a_run_with_a_program_is_in_edge_and_walled_in() -> None:
    """As every run with a file of a user's own, even if the program is installed."""
    run = resolve("port-exhaustion", "program", Choices(sets=[PROGRAM]), datapath="userspace")
    sleeping = resolve("port-exhaustion", "program", Choices(sets=["program=sleep 9"]), datapath="userspace")

    assert run.topology == "edge"
    assert EXAMPLE in (behind := walled(run)).files  # type: ignore[union-attr] # it is not None
    assert behind is not None
    assert [Path(each).name for each in sleeping.programs] == ["sleep"]
