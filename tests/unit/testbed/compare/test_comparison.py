"""Comparing: what is decided before anything starts, and which verdict counts in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.compare.comparison import Planned, _distinct, compare, names, of_profiles, plans, worst
from testbed.compare.differences import differences
from testbed.run.choices import Choices
from testbed.run.exit_status import ExitStatus
from testbed.run.folder import Folder
from testbed.run.naming import subject

STUDENT = '''
from pydantic import Field
from topologies.gateways.base import Options, Restriction
from topologies.gateways.openflow.gateway import OpenFlowGateway

class Choices(Options):
    colour: str = Field("blue", description="of the box", pattern="blue|red")

class Mine(OpenFlowGateway):
    """Cannot evict."""
    Options = Choices
    restrictions = (Restriction("on_exhaustion", ("drop",), "it is a box"),)
'''


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A student's gateway, with an option of its own, which drops and can do nothing else."""
    (tmp_path / "mine.py").write_text(STUDENT)
    return f"{tmp_path / 'mine.py'}:Mine"


def decide(*sets: str) -> Choices:
    """Return what the user chose."""
    return Choices(sets=list(sets))


def test_what_a_gateway_cannot_do_is_no_mistake(mine: str) -> None:
    """It is an entry with the gateway's own sentence; the other gateways run."""
    first, second = plans(decide("on_exhaustion=icmp"), ["port-exhaustion"], ["openflow", mine])

    assert first.run is not None
    assert second.run is None
    assert second.cannot()["verdict"] == "cannot"
    assert second.reason.startswith("setting on_exhaustion=icmp is not possible with this gateway: it is a box")


def test_an_option_of_one_gateway_is_passed_over_by_the_others(mine: str) -> None:
    """An option is set only where the gateway knows it."""
    first, second = plans(decide("colour=red"), ["port-exhaustion"], ["openflow", mine])

    assert first.run is not None
    assert second.run is not None
    assert first.run.options == {}
    assert second.run.options == {"colour": "red"}


@pytest.mark.parametrize(
    ("sets", "gateways", "told"),
    [
        (["prots=8"], ["openflow"], "did you mean 'ports'?"),
        (["ports=0"], ["openflow"], "setting ports=0"),
        (["colour=red"], ["openflow"], "setting 'colour' is unknown"),
        ([], ["openflow", "nix"], "gateway 'nix' is unknown"),
        ([], ["openflow", ""], "gateway '' is unknown"),
        ([], ["openflow", "openflow"], "openflow is there twice"),
    ],
)
def test_a_mistake_ends_a_comparison_before_anything_starts(
    sets: list[str], gateways: list[str], told: str
) -> None:
    """The refusal has the same words as with `lastport run`."""
    with pytest.raises(ConfigurationError) as refused:
        plans(decide(*sets), ["port-exhaustion"], gateways)

    assert told in str(refused.value)


def test_a_wrong_value_of_a_gateway_s_option_is_a_mistake(mine: str) -> None:
    """It is one although only one gateway knows the option."""
    with pytest.raises(ConfigurationError, match="setting colour='green'"):
        plans(decide("colour=green"), ["port-exhaustion"], ["openflow", mine])


def test_what_makes_no_sense_in_one_of_several_scenarios_is_an_entry_of_its_own() -> None:
    """The other scenarios run; a scenario alone is refused."""
    two_nats, exhaustion = plans(decide("ports=300"), ["two-nats", "port-exhaustion"], ["openflow"])

    assert exhaustion.run is not None
    assert two_nats.cannot()["verdict"] == "cannot"
    assert "take ports from" in two_nats.reason
    with pytest.raises(ConfigurationError, match="take ports from"):
        plans(decide("ports=300"), ["two-nats"], ["openflow"])


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["prots=8"], "^setting 'prots' is unknown"),
        (["ports=0"], "^setting ports=0"),
        (["home_ports=16", "clients=1"], "^two-nats: parameter clients=1"),
    ],
)
def test_what_is_wrong_with_all_of_several_scenarios_is_a_mistake(sets: list[str], told: str) -> None:
    """Where the reasons differ, the refusal names the scenario."""
    with pytest.raises(ConfigurationError, match=told):
        plans(decide(*sets), ["two-nats", "release"], ["openflow", "netfilter"])


@pytest.mark.parametrize("listed", ["", ", ", "openflow,", "openflow,,netfilter", " ,openflow"])
def test_a_list_of_gateways_has_no_empty_name(listed: str) -> None:
    """A name may have been lost there. Blanks do not matter."""
    assert names(" openflow, netfilter") == ["openflow", "netfilter"]
    with pytest.raises(ConfigurationError, match="empty name"):
        names(listed)


@pytest.mark.parametrize(
    ("verdicts", "statuses", "expected"),
    [
        (["pass", "cannot"], [0, 2], 0),
        (["pass", "fail", "cannot"], [0, 1, 3], 1),
        (["error", "fail"], [4, 1], 4),
        (["cannot", "cannot"], [2, 2], 2),
        (["cannot", "cannot"], [3, 2], 3),
        (["pass", "cannot"], [0, 4], 4),
    ],
)
def test_the_worst_verdict_of_the_runs_decides(verdicts: list[str], statuses: list[int], expected: int) -> None:
    """Runs that could not be made count only where nothing ran, or where their folders could not be made."""
    runs = [{"verdict": verdict} for verdict in verdicts]

    assert worst(runs, [ExitStatus(status) for status in statuses]) == expected


def test_a_comparison_whose_folder_is_gone_is_not_lost(tmp_path: Path) -> None:
    """What it showed is printed, with the reason why it is not kept."""
    folder = Folder(tmp_path / "out")
    (tmp_path / "out").rmdir()
    done = compare(
        [Planned("eviction", "netfilter", None, "it cannot", ExitStatus.WRONG_INPUT)], folder, pcap=False
    )

    assert [run["verdict"] for run in done.told["runs"]] == ["cannot"]
    assert done.unkept == f"compare.json could not be written to {folder.path}: No such file or directory"


def test_a_student_s_gateway_has_a_folder_of_its_own() -> None:
    """Two gateways of one name have folders of different names."""
    both = ["/a/nat.py:Mine", "/b/nat.py:Mine"]
    assert [str(_distinct(name, both)) for name in both] == ["nat-Mine", "nat-Mine-2"]


def test_folders_of_gateways_are_distinct_on_any_filesystem() -> None:
    """Windows takes no question mark, and does not tell upper case from lower case."""
    both = ["/a/why?.py:Mine", "/a/WHY?.py:mine"]

    assert [str(_distinct(name, both)) for name in both] == ["why_-Mine", "WHY_-mine-2"]


def test_profiles_are_compared_on_one_gateway_and_told_apart_by_their_names() -> None:
    """By scenario, and then by profile; a folder and a column each."""
    planned = of_profiles(
        decide("ports=256", "clients=2"), ["port-exhaustion", "release"], "openflow", ["plain", "gcp-cloud-nat"]
    )

    assert [(each.scenario, each.subject) for each in planned] == [
        ("port-exhaustion", "plain"),
        ("port-exhaustion", "gcp-cloud-nat"),
        ("release", "plain"),
        ("release", "gcp-cloud-nat"),
    ]
    assert planned[1].run is not None
    assert (planned[1].run.profile, planned[1].run.settings.subscriber_ports) == ("gcp-cloud-nat", 64)
    assert {each.gateway for each in planned} == {"openflow"}
    assert planned[1].cannot()["compared_as"] == subject(planned[1].cannot()) == "gcp-cloud-nat"
    assert subject({"gateway": "openflow"}) == "openflow"


def test_a_profile_that_is_there_twice_is_refused() -> None:
    """It would be one column of two."""
    with pytest.raises(ConfigurationError, match="--profiles: plain is there twice; name each profile once"):
        of_profiles(decide(), ["port-exhaustion"], "openflow", ["plain", "cgn", "plain"])


def test_a_profile_that_a_scenario_refuses_is_an_entry_beside_the_others() -> None:
    """Ports of a subscriber's own are too many for a small pool. The other profile runs."""
    amazon, google = of_profiles(decide(), ["churn"], "openflow", ["aws-nat-gateway", "gcp-cloud-nat"])

    assert amazon.run is not None
    assert google.cannot()["verdict"] == "cannot"
    assert google.reason.startswith("profile gcp-cloud-nat is not possible with churn")


@pytest.mark.parametrize(
    ("sets", "profiles", "told"),
    [
        (["prots=8"], ["plain", "overlap"], "did you mean 'ports'"),
        ([], ["gcp-cloud-nat"], "take at most 32"),
        ([], ["plain", "overlop"], "profile 'overlop' is unknown: did you mean 'overlap'"),
    ],
    ids=["with all", "the only one", "an unknown one"],
)
def test_what_no_profile_bears_is_a_mistake(sets: list[str], profiles: list[str], told: str) -> None:
    """It ends the comparison before anything starts."""
    with pytest.raises(ConfigurationError, match=told):
        of_profiles(decide(*sets), ["churn"], "openflow", profiles)


def test_differences_between_profiles_have_the_names_of_the_profiles() -> None:
    """The gateway is the same one."""
    runs = [
        {"scenario": "churn", "gateway": "openflow", "compared_as": name, "verdict": verdict, "checks": []}
        for name, verdict in (("one", "pass"), ("other", "fail"))
    ]

    (found,) = differences(runs)
    assert found["values"] == {"one": "pass", "other": "fail"}
