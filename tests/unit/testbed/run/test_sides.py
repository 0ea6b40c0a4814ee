"""What is chosen for one of several gateways only: its kind, its settings, its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.naming import words
from testbed.run.resolve import resolve
from testbed.run.sides import kinds_in

HOLES = "hole-punching"
OWN = """
from topologies.gateways.base import Options
from topologies.gateways.openflow.gateway import OpenFlowGateway


class MyOptions(Options):
    controller: str = ""
    program: str = ""


class Mine(OpenFlowGateway):
    Options = MyOptions
"""


def resolved(scenario: str, *sets: str, kinds: dict[str, str] | None = None, **more: Any) -> Run:
    """Decide about a run on openflow."""
    choices = Choices(sets=[*sets], kinds=kinds or {}, **more)
    return resolve(scenario, "openflow", choices, datapath="userspace")


def test_a_setting_is_one_gateway_s() -> None:
    """The other one has the common value, and so has the run if it is not the one under test."""
    run = resolved(HOLES, "ports=40", "gateway-b.mapping_type=edm", "gateway-b.ports=50")

    assert [each.mapping_type for each in run.gateways.values()] == ["eim", "edm"]
    assert [each.ports for each in run.gateways.values()] == [40, 50]
    assert (run.settings.mapping_type, run.settings.ports) == ("eim", 40)
    assert str(run.gateways["gateway-b"].external_addresses[0]) == "203.0.113.1"
    assert words(run.chosen) == ["ports=40", "gateway-b.mapping_type=edm", "gateway-b.ports=50"]
    assert run.settings_by_gateway()["gateway-b.mapping_type"] == "edm"


def test_the_gateway_under_test_may_be_the_one() -> None:
    """The run's own settings are those of that gateway, as its expectations are."""
    run = resolved(HOLES, "gateway-a.mapping_type=edm")

    assert run.settings.mapping_type == "edm"
    assert run.gateways["gateway-b"].mapping_type == "eim"


def test_each_gateway_has_the_defaults_of_its_kind() -> None:
    """Linux's are not ours; an option is the kind's that knows it."""
    run = resolved(
        HOLES,
        "gateway-b.fully_random=true",
        "gateway-b.port_allocation_type=random",
        kinds={"gateway-b": "netfilter"},
    )

    assert [run.kind_of(name) for name in run.gateways] == ["openflow", "netfilter"]
    assert [each.filtering_type for each in run.gateways.values()] == ["eif", "edf"]
    assert run.options_of("gateway-b")["fully_random"] is True
    assert "fully_random" not in run.options_of("gateway-a")
    assert {"nft", "conntrack"} <= set(run.needs)
    assert "netfilter" in run.names
    assert Run.model_validate(run.model_dump(mode="json")) == run


def test_without_such_choices_nothing_is_kept_for_single_gateways() -> None:
    """Results look as they always did."""
    run = resolved(HOLES)

    assert (run.kinds, run.own_options) == ({}, {})
    assert run.kind_of("gateway-b") == "openflow"


def test_the_run_is_called_by_the_gateway_under_test_and_what_the_others_are_instead() -> None:
    """Whichever of them was chosen for a single gateway, so that the name repeats the run."""
    run = resolved(HOLES, kinds={"gateway-a": "netfilter"})
    assert (run.gateway, words(run.chosen)) == ("netfilter", ["gateway-b=openflow"])

    assert resolved(HOLES, kinds={"gateway-a": "openflow", "gateway-b": "openflow"}).chosen == {}


@pytest.mark.parametrize("kinds", [{}, {"gateway-b": "slirp"}, {"gateway-a": "slirp"}])
def test_somebody_else_s_nat_is_no_side(kinds: dict[str, str]) -> None:
    """It is judged alone, whether it is the one for all gateways or for a single one."""
    usual = "openflow" if kinds else "slirp"
    choices = Choices(sets=[] if kinds else ["gateway-b.ports=40"], kinds=kinds)
    chosen = next((f"{name}={kind}" for name, kind in kinds.items()), usual)

    with pytest.raises(ConfigurationError) as refused:
        resolve(HOLES, usual, choices, datapath="userspace")

    assert str(refused.value) == (
        f"--gateway {chosen} is not possible where single gateways are chosen: somebody else's NAT is judged "
        "alone; choose from: openflow, ovs-ct, netfilter"
    )


def test_a_nat_in_front_may_differ() -> None:
    """In the topology carrier the homes' NATs are no part of the question."""
    run = resolved(
        "port-exhaustion",
        "ports=16",
        "home-a.filtering_type=edf",
        topology="carrier",
        kinds={"home-b": "netfilter"},
    )

    assert [run.kind_of(name) for name in run.gateways] == ["openflow", "openflow", "netfilter"]
    assert run.gateways["home-a"].filtering_type == "edf"


@pytest.mark.parametrize(
    ("scenario", "sets", "kinds", "told"),
    [
        (HOLES, ["gateway-c.ports=5"], {}, "setting gateway-c.ports=5 is not possible with topology 'two-homes'"),
        (HOLES, [], {"gateway-c": "netfilter"}, "choose from: gateway-a, gateway-b, or take another --topology"),
        (HOLES, ["gateway-b.prots=5"], {}, "setting of gateway-b 'prots' is unknown: did you mean 'ports'?"),
        (HOLES, ["gateway-b.patience=5"], {}, "setting of gateway-b 'patience' is unknown"),
        (HOLES, ["gateway-b.ports=0"], {}, "ports=0 is not possible: a number of ports should be from 1"),
        (HOLES, ["gateway-b.ports=2"], {}, "take ports=5 or more"),
        (HOLES, ["gateway-b.on_exhaustion=icmp"], {"gateway-b": "netfilter"}, "Linux sends no refusal"),
        (HOLES, ["gateway-b.external_addresses=2"], {}, "in which gateway-b has 203.0.113.1; leave it out"),
        (HOLES, ["gateway-a.external_addresses=192.0.2.7"], {}, "gateway-a.external_addresses='192.0.2.7' is not"),
        ("two-nats", ["home-a.filtering_type=edf"], {}, "reckons with NATs that are alike"),
        ("hold-and-retry", ["gateway-b.ports=9"], {}, "reckons with NATs that are alike"),
        ("port-exhaustion", ["gateway-b.ports=9"], {}, "topology 'home': it has no gateway 'gateway-b'"),
    ],
)
def test_what_cannot_be_is_refused(scenario: str, sets: list[str], kinds: dict[str, str], told: str) -> None:
    """Before anything starts, with the gateway, the key and the way out."""
    with pytest.raises(ConfigurationError) as refused:
        resolved(scenario, *sets, kinds=kinds)

    assert told in str(refused.value)


def test_a_single_gateway_s_value_is_blamed_by_its_whole_key() -> None:
    """And not as if the scenario had set it."""
    with pytest.raises(ConfigurationError, match=r"setting home-a\.ports=4 is not possible with port-exh"):
        resolved("port-exhaustion", "home-a.ports=4", topology="carrier")


def test_a_refusal_for_the_number_of_ports_repeats_what_was_written() -> None:
    """With the number beside it."""
    with pytest.raises(ConfigurationError, match=r"ports=\[4096-4600\] is not possible with release: of these 5"):
        resolved("release", "ports=[4096-4600]")


def test_the_option_gateway_has_kinds_for_all_and_for_single_ones() -> None:
    """`--gateway netfilter --gateway gateway-b=FILE.py:Class`."""
    assert kinds_in([], usual="openflow") == ("openflow", {})
    written = ["gateway-b=mine.py:Mine", "netfilter"]
    assert kinds_in(written, usual="openflow") == ("netfilter", {"gateway-b": "mine.py:Mine"})
    assert kinds_in(["/tmp/a=b/mine.py"], usual="openflow") == ("/tmp/a=b/mine.py", {})
    assert kinds_in(["netfilter", "netfilter", "x=a", "x=a"], usual="openflow") == ("netfilter", {"x": "a"})
    for wrong in (["a", "b"], ["=b"], ["a="], [""], ["x=a", "x=b"]):
        with pytest.raises(ConfigurationError, match="--gateway"):
            kinds_in(wrong, usual="openflow")


def test_an_option_of_one_s_own_gateway_means_what_it_says_there(tmp_path: Path) -> None:
    """Not what the option of the same name is of another gateway."""
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    choices = Choices(sets=["controller=onos", "program=it's"])
    run = resolve("port-exhaustion", f"{file}:Mine", choices, datapath="userspace")

    assert (run.reaches, run.programs) == ("", ())
    assert run.options == {"controller": "onos", "program": "it's"}
