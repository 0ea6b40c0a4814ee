"""From a plan's file to the run that replays it: what is read, what is refused, and what is decided."""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.replay.course import of_subscribers
from testbed.replay.subscribers import OfSubscribers
from testbed.run.choices import Choices
from testbed.run.planning import Asked
from testbed.run.replaying import SPARE_SOCKETS, plan_in, replay_of, require_checkable
from testbed.run.resolve import resolve
from tests.support.paths import ROOT


def plan(tmp_path: Path, **changed: Any) -> Path:
    """Return the file of a plan of plain calls, with some of its keys changed."""
    told = {
        "schema": 1,
        "version": "0",
        "workload": "erlangs",
        "started": "2026-11-29T10:00:00+00:00",
        "duration_s": 1.0,
        "profile": "gcp-cloud-nat",
        "parameters": {"erlangs": 12.0},
        "chosen": {"subscribers": 1, "ports": 64, "subscriber_ports": 16},
        "seed": 4,
        "offered": 100,
        "refused": 5,
        "refused_share": 0.05,
        "interval": [0.04, 0.06],
        "erlang_b": 0.05,
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**told, **changed}))
    return file


def test_a_plan_is_replayed_with_its_profile_its_settings_and_its_seed(tmp_path: Path) -> None:
    """What the plan's parameters are about becomes the run's own; what the user gives besides wins."""
    scenario, choices = replay_of(plan_in(plan(tmp_path)), Choices(sets=["measured=7"]))
    run = resolve(scenario, "openflow", choices, datapath="userspace")

    assert (run.scenario, run.profile, run.seed) == ("plan", "gcp-cloud-nat", 4)
    assert (run.settings.ports, run.settings.subscriber_ports) == (64, 16)
    assert run.parameters["erlangs"] == 12.0
    assert (run.parameters["clients"], run.parameters["measured"], run.parameters["planned"]) == (1, 7, 0.05)
    assert plan_in(plan(tmp_path)) == plan_in(tmp_path)


def test_another_load_of_the_same_plan_has_no_planned_share(tmp_path: Path) -> None:
    """The plan has said nothing about it."""
    _, choices = replay_of(plan_in(plan(tmp_path)), Choices(), point=0.5)
    run = resolve("plan", "openflow", choices, datapath="userspace")

    assert (run.parameters["erlangs"], run.parameters["planned"]) == (6.0, None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"workload": "faxes"}, "take one of erlangs, subscribers, trace"),
        ({"parameters": {}}, "take one of --erlangs A"),
        ({"workload": "trace"}, "take one of --trace FILE"),
        ({"workload": "trace", "parameters": {"trace_file": "/nowhere"}}, "trace /nowhere: No such file.*; take"),
        (
            {"workload": "trace", "parameters": {"trace_file": "a\0b"}},
            r"trace 'a\\x00b' has .*; take one that has",
        ),
        ({"workload": "trace", "parameters": {"trace_file": "a\x1bb"}}, r"trace 'a\\x1bb' has .*; take"),
        ({"workload": "subscribers", "chosen": {"block_of_each": 8}}, "take port_allocation_type=blocks"),
        ({"refused_share": "half"}, "at /refused_share: found .*; take a plan.json"),
        ({"chosen": {"prots": 64}}, "did you mean 'ports'"),
    ],
)
def test_what_is_no_plan_that_can_be_replayed_is_refused(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """With the place and the way out."""
    with pytest.raises(ConfigurationError, match=told):
        replay_of(plan_in(plan(tmp_path, **changed)), Choices())


def test_a_file_that_cannot_be_read_or_is_no_json_is_refused(tmp_path: Path) -> None:
    """A folder is that of a plan's results."""
    with pytest.raises(ConfigurationError, match=r"cannot be read .*; take a plan\.json"):
        plan_in(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"is no JSON; take a plan\.json"):
        plan_in(tmp_path)


def subscribers(tmp_path: Path, **chosen: Any) -> Path:
    """Return the file of a plan of subscribers."""
    parameters = {"subscribers": chosen["subscribers"]}
    given = {"profile": "plain", "chosen": chosen, "parameters": parameters, "theory": THEORY}
    return plan(tmp_path, workload="subscribers", **given)


THEORY = [{"model": "Erlang B", "erlangs": 10.0, "ports": 9, "refused_share": 0.25}]


def test_subscribers_are_replayed_with_their_parameters_at_the_pace_of_the_lab(tmp_path: Path) -> None:
    """Each has an address, and the plan's own figures stand beside."""
    scenario, choices = replay_of(plan_in(subscribers(tmp_path, subscribers=30, ports=3000, heavy=0)), Choices())
    run = resolve(scenario, "openflow", choices, datapath="userspace")

    assert (run.scenario, run.seed) == ("plan-subscribers", 4)
    assert run.parameters["plan"] == {"subscribers": 30, "heavy": 0.0}
    assert (run.parameters["planned"], run.parameters["formulas"]) == (0.05, {"Erlang B": 0.25})
    assert run.parameters["clients"] * run.parameters["addresses_per_client"] >= 20
    assert run.settings.time_scale == pytest.approx(run.parameters["pace"])
    assert run.settings.ports == round(3000 * run.parameters["size"])


def test_there_is_room_for_the_connections_that_subscribers_have_at_once(tmp_path: Path) -> None:
    """For all of them, whatever their mean number is."""
    _, choices = replay_of(plan_in(subscribers(tmp_path, subscribers=40, ports=3000)), Choices())
    run = resolve("plan-subscribers", "openflow", choices, datapath="userspace")
    lab = OfSubscribers.model_validate(run.parameters)
    course = of_subscribers(lab.chosen, lab.populations, lab.pace, run.seed).until(lab.warm_up + lab.measured)
    begun, ended = [each[0] for each in course], sorted(each[2] for each in course)
    most = max(place - bisect.bisect_left(ended, at) for place, at in enumerate(begun, 1))

    assert SPARE_SOCKETS < most < lab.sockets


def test_a_point_has_more_subscribers_or_fewer(tmp_path: Path) -> None:
    """And the plan has said nothing about them."""
    _, choices = replay_of(plan_in(subscribers(tmp_path, subscribers=20, ports=3000)), Choices(), point=0.8)
    run = resolve("plan-subscribers", "openflow", choices, datapath="userspace")

    assert run.parameters["plan"]["subscribers"] == 16
    assert (run.parameters["planned"], run.parameters["formulas"]) == (None, {})


@pytest.mark.parametrize("gateway", ["netfilter", "ovs-ct"])
def test_subscribers_are_replayed_with_a_nat_that_ends_mappings_as_the_core(tmp_path: Path, gateway: str) -> None:
    """Another's idle mappings end at other times, and what it refuses would differ rightly."""
    told = subscribers(
        tmp_path, subscribers=20, port_overlapping="endpoint", mapping_type="edm", filtering_type="edf"
    )
    scenario, choices = replay_of(plan_in(told), Choices())

    with pytest.raises(ConfigurationError, match="take --gateway openflow"):
        resolve(scenario, gateway, choices, datapath="userspace")


def planned_trace(tmp_path: Path, file: Path, *, offered: int, **chosen: Any) -> Path:
    """Return the file of a plan of a trace."""
    parameters = {"trace_file": str(file)}
    return plan(tmp_path, workload="trace", profile="plain", chosen=chosen, parameters=parameters, offered=offered)


OFFERED = {"conn.log": 200, "conn.json": 24, "conntrack.txt": 24, "lab.pcapng": 20, "recording.gz": 24}


@pytest.mark.parametrize("name", ["conn.log", "conn.json", "conntrack.txt", "lab.pcapng", "recording.gz"])
def test_a_trace_is_replayed_from_its_file(tmp_path: Path, name: str) -> None:
    """Its hosts are hosts of the lab."""
    file = ROOT / "docs" / "examples" / "traces" / name
    scenario, choices = replay_of(plan_in(planned_trace(tmp_path, file, offered=OFFERED[name])), Choices())
    run = resolve(scenario, "openflow", choices, datapath="userspace")

    assert (run.scenario, run.parameters["trace"]) == ("plan-trace", str(file))
    assert run.parameters["attempts"] == OFFERED[name]
    assert run.settings.time_scale == pytest.approx(run.parameters["pace"])
    assert (run.parameters["pace"] < 1) == (name == "conn.log")
    assert 0 < run.parameters["pace"] <= 1


@pytest.mark.parametrize(("state", "ports"), [("S0", range(40_000, 40_040)), ("SF", [40_000] * 40)])
def test_a_trace_that_would_show_nothing_is_refused(tmp_path: Path, state: str, ports: Sequence[int]) -> None:
    """None of its attempts is answered, or all of them have the same two endpoints."""
    file = tmp_path / "few.json"
    ends = {"id.orig_h": "10.0.0.1", "id.resp_h": "192.0.2.9", "id.resp_p": 443, "proto": "tcp"}
    lines = [
        {"ts": 100.0 + place, **ends, "id.orig_p": port, "duration": 0.5, "conn_state": state}
        for place, port in enumerate(ports)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    told = planned_trace(tmp_path, file, offered=40)

    with pytest.raises(ConfigurationError, match=r"has [01] attempts that .*; take one with 16 at least"):
        replay_of(plan_in(told), Choices())


def test_a_pipe_is_no_trace(tmp_path: Path) -> None:
    """Nobody would wait for its other end; nor for that of a recording in a folder."""
    os.mkfifo(tmp_path / "recording.gz")
    for path in (tmp_path, tmp_path / "recording.gz"):
        told = planned_trace(tmp_path, path, offered=24)
        with pytest.raises(ConfigurationError, match="neither a file nor a run's folder; take one that is"):
            replay_of(plan_in(told), Choices())


def test_a_trace_that_has_changed_since_its_plan_is_not_replayed(tmp_path: Path) -> None:
    """The plan's share is about other attempts."""
    file = tmp_path / "cut.log"
    whole = (ROOT / "docs" / "examples" / "traces" / "conn.log").read_text()
    file.write_text("".join(whole.splitlines(keepends=True)[:60]))
    told = plan_in(planned_trace(tmp_path, file, offered=200))

    with pytest.raises(ConfigurationError, match=r"has \d+ attempts, and had 200 .*; take a new plan of it"):
        replay_of(told, Choices())


def test_there_is_an_inside_address_for_each_that_attempts_come_from(tmp_path: Path) -> None:
    """The user's own number of clients has precedence, and is refused if it is too few."""
    file = ROOT / "docs" / "examples" / "traces" / "conn.json"
    for told, way_out in (
        (plan_in(planned_trace(tmp_path, file, offered=24)), "addresses_per_client=4"),
        (plan_in(subscribers(tmp_path, subscribers=20, ports=3000)), "addresses_per_client=20"),
    ):
        scenario, choices = replay_of(told, Choices(sets=["clients=1", "addresses_per_client=1"]))
        with pytest.raises(ConfigurationError, match=rf"clients=1 .* 1 would be there; take {way_out}$"):
            resolve(scenario, "openflow", choices, datapath="userspace")
        _, choices = replay_of(told, Choices(sets=["clients=1", way_out]))
        assert resolve(scenario, "openflow", choices, datapath="userspace").parameters["clients"] == 1


def test_a_file_of_one_s_own_is_not_met_outside_its_walls(tmp_path: Path) -> None:
    """Subscribers are replayed with it all the same, and a trace is not, which it could not see."""
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit('met')\n")
    mine = {"port_allocation_type": f"{file}:Mine"}
    _, choices = replay_of(plan_in(subscribers(tmp_path, subscribers=20, ports=3000, **mine)), Choices())
    assert any(str(file) in each for each in choices.sets)

    trace = {"trace_file": str(ROOT / "docs" / "examples" / "traces" / "conn.log")}
    with pytest.raises(ConfigurationError, match="take subscribers, or a strategy of ours"):
        replay_of(plan_in(plan(tmp_path, workload="trace", chosen=mine, parameters=trace)), Choices())


def test_a_plan_with_a_file_of_one_s_own_is_not_checked(tmp_path: Path) -> None:
    """It is replayed by `run`, which walls it in."""
    file = tmp_path / "mine.py"
    file.write_text("from controller.api import Allocator\n\n\nclass Mine(Allocator):\n    pass\n")
    asked = Asked({"port_allocation_type": f"{file}:Mine"}, "plain", 1, None, None, None, has_front=False)

    with pytest.raises(ConfigurationError, match="take `lastport run --plan FILE`"):
        require_checkable(asked)
