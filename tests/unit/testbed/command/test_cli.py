"""The command line, as far as it goes without root: lists, help, and the refusal of wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from controller.settings.profiles import NAMES
from testbed.command.listing import ROWS
from testbed.run.exit_status import EXIT_STATUS
from tests.unit.testbed.command.conftest import Lastport

KINDS = tuple(ROWS)


def listed(lastport: Lastport, kind: str) -> list[dict[str, Any]]:
    """Return the rows of a list."""
    rows: list[dict[str, Any]] = json.loads(lastport("list", kind, "--json").out)[kind]
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_is_printed_as_json(lastport: Lastport, kind: str) -> None:
    """Standard output has one object and nothing else; each row has a name."""
    finished = lastport("list", kind, "--json")

    assert (finished.status, finished.err) == (0, "")
    printed = json.loads(finished.out)
    assert list(printed) == ["schema", kind]
    assert printed["schema"] == 1
    assert printed[kind]
    assert all(row["name"] for row in printed[kind])


def test_all_lists_are_one_object_as_json(lastport: Lastport) -> None:
    """Without a kind."""
    printed = json.loads(lastport("list", "-j").out)

    assert list(printed) == ["schema", *KINDS]
    assert {kind: printed[kind] for kind in KINDS} == {kind: listed(lastport, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_is_printed_for_people(lastport: Lastport, kind: str) -> None:
    """Every name is in it."""
    finished = lastport("list", kind)

    assert finished.status == 0
    assert [row["name"] for row in listed(lastport, kind) if row["name"] not in finished.out] == []


def test_scenarios_are_listed_by_default(lastport: Lastport) -> None:
    """`lastport list` without a kind prints the scenarios, and the names of the other lists."""
    printed = lastport("list").out

    assert printed == lastport("list", "scenarios").out
    assert "Other lists: topologies, gateways, allocators, policies, profiles, settings, benches, labs." in printed


def test_a_scenario_is_listed_with_its_question_claim_parameters_and_settings(lastport: Lastport) -> None:
    """A row has all that is needed to run the scenario another way."""
    (row,) = [row for row in listed(lastport, "scenarios") if row["name"] == "port-exhaustion"]

    assert set(row) == {"name", "description", "claim", "requires", "parameters", "settings"}
    assert row["description"] == "Can a NAT run out of ports toward one service, and what happens then?"
    assert {"clients", "attempts", "protocol"} <= {parameter["name"] for parameter in row["parameters"]}
    assert row["settings"]["ports"] == 256


def test_a_setting_is_listed_with_its_unit_default_and_source(lastport: Lastport) -> None:
    """Two rows are compared literally."""
    rows = {row["name"]: row for row in listed(lastport, "settings")}

    assert rows["udp_timeout"] == {
        "name": "udp_timeout",
        "type": "number",
        "unit": "s",
        "default": 300,
        "allowed": "more than 0, up to 10,000,000",
        "source": "RFC 4787 REQ-5",
        "description": "idle time after which a UDP mapping ends",
    }
    assert rows["external_addresses"]["default"] == ["192.0.2.1"]
    assert rows["external_addresses"]["type"] == "number or list"
    assert rows["on_exhaustion"]["allowed"] == ["drop", "icmp", "reset", "evict-lru", "hold"]
    assert rows["address_allocation_type"]["allowed"] == [
        "paired",
        "paired-soft",
        "arbitrary",
        "roundrobin",
        "in-order",
    ]
    assert rows["port_overlapping"]["allowed"] == ["off", "address", "endpoint"]
    assert rows["refresh_inbound"]["type"] == "true or false"
    assert rows["icmp_code"]["allowed"] == [13, 1]
    assert rows["port_quota"] == {
        "name": "port_quota",
        "type": "integer or null",
        "unit": "ports",
        "default": None,
        "allowed": "1 to 1,000,000,000",
        "source": "RFC 6888 REQ-4, RFC 8512 port-quota",
        "description": "ports that a subscriber may have; null: no limit",
    }


def test_a_profile_is_listed_with_its_settings_and_their_reasons(lastport: Lastport) -> None:
    """`--json` has them all; `lastport show` prints those of one."""
    rows = {row["name"]: row for row in listed(lastport, "profiles")}

    assert list(rows) == list(NAMES)
    assert "udp_timeout" in rows["aws-nat-gateway"]["assumed"]
    assert rows["plain"]["assumed"] == []
    for row in rows.values():
        assert set(row) == {"name", "description", "settings", "reasons", "assumed"}
        assert row["description"]
        assert list(row["settings"]) == list(row["reasons"])
    assert rows["cgn"]["settings"]["icmp_code"] == 1
    assert rows["cgn"]["reasons"]["icmp_code"].startswith("RFC 6888 REQ-11B: ")

    shown = lastport("show", "home-router").out
    assert "34 home gateways held from 16 to about 1,024 (Hätönen et al., IMC 2010)" in shown


def test_every_row_of_every_list_has_a_description(lastport: Lastport) -> None:
    """A student's list is only as good as its sentences."""
    for kind in KINDS:
        assert all(row["description"] for row in listed(lastport, kind)), kind


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "nonsense"], "list 'nonsense' is unknown"),
        (["list", "setings"], "did you mean 'settings'?"),
        (["run", "nonsense"], "scenario 'nonsense' is unknown"),
        (["run", "port-exhaustion", "--set", "ports=0"], "setting ports=0"),
        (["run", "port-exhaustion", "--set", "prots=8"], "did you mean 'ports'?"),
        (["run", "port-exhaustion", "--set", "ports"], "is not KEY=VALUE"),
        (["run", "port-exhaustion", "--set", "ports=2020-13-45"], "cannot be read"),
        (["run", "port-exhaustion", "--gateway", "none.py:Mine"], "there is no such file"),
        (["run", "port-exhaustion", "--allocator", "none.py:Mine"], "there is no such file"),
        (["run", "port-exhaustion", "--allocator", "guess"], "setting port_allocation_type='guess'"),
        (
            ["run", "port-exhaustion", "--allocator", "random", "--set", "port_allocation_type=blocks"],
            "contradict",
        ),
        (["run", "port-exhaustion", "--set", "on_exhaustion=none.py"], "there is no such file"),
        (["run", "port-exhaustion", "--profile", "cgm"], "did you mean 'cgn'?"),
        (["run", "port-exhaustion", "--config", "none.yaml"], "No such file"),
        (["run", "port-exhaustion", "--seed", "seven"], "--seed"),
        (["run"], "SCENARIO"),
        (["compare"], "compare one SCENARIO, or --all of them"),
        (["compare", "port-exhaustion", "--all"], "compare one SCENARIO, or --all of them"),
        (["compare", "nonsense"], "scenario 'nonsense' is unknown"),
        (["compare", "--all", "--gateways", "nonsense"], "gateway 'nonsense' is unknown"),
        (["compare", "--all", "--gateways", "netfilter, nonsense"], "gateway 'nonsense' is unknown"),
        (["compare", "--all", "--gateways", "netfilter,,openflow"], "has an empty name"),
        (["compare", "--all", "--pairs"], "--pairs is not possible with --all: give one SCENARIO"),
        (["compare", "hole-punching", "--pairs", "--web"], "--pairs is not possible with --web"),
        (["compare", "hole-punching", "--pairs", "--gateways", ",openflow"], "has an empty name"),
        (["compare", "churn", "--pairs"], "it is not about two NATs that may differ; take hole-punching"),
        (["compare", "--all", "--set", "prots=8"], "did you mean 'ports'?"),
        (["run", "port-exhaustion", "--no-such-option"], "--no-such-option"),
        (["nonsense"], "nonsense"),
        (["show", "port-exhastion"], "did you mean 'port-exhaustion'"),
        (["show", "none.py"], "there is no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("extra", [[], ["--json"]], ids=["for people", "as json"])
def test_wrong_input_ends_with_status_2_and_nothing_on_standard_output(
    lastport: Lastport, arguments: list[str], told: str, extra: list[str]
) -> None:
    """Standard error names what is wrong, and nothing was started or left."""
    finished = lastport(*arguments, *extra)

    assert (finished.status, finished.out) == (2, "")
    assert told.lower() in finished.err.lower()
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_doctor_fits_the_terminal(lastport: Lastport, columns: int) -> None:
    """Whatever it has found."""
    printed = lastport("doctor", columns=columns).out

    assert "ovs-vswitchd" in printed
    assert [line for line in printed.splitlines() if len(line) > columns] == []


def test_an_interruption_before_a_run_begins_ends_the_command_without_a_word(
    lastport: Lastport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is that of a command that a signal ended, and not that of a failed check."""
    monkeypatch.setitem(ROWS, "scenarios", lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background commands ignore it

    try:
        finished = lastport("list")
    finally:
        signal.signal(signal.SIGINT, before)

    assert (finished.status, finished.out, finished.err) == (130, "", "")


@pytest.mark.parametrize("left", [SystemExit(0), SystemExit(1), EOFError(), BrokenPipeError(32, "Broken pipe")])
def test_what_leaves_a_command_does_not_decide_about_the_status(
    lastport: Lastport, monkeypatch: pytest.MonkeyPatch, left: BaseException
) -> None:
    """0 would be the status of checks that hold, and 1 that of one that failed."""

    def leave() -> None:
        raise left

    monkeypatch.setitem(ROWS, "scenarios", leave)

    assert lastport("list").status == 4


@pytest.mark.parametrize(
    ("command", "what"),
    [("mkdir", "a folder"), ("mkfifo", "no regular file"), ("ln -s /dev/null", "no regular file")],
)
def test_a_page_replaces_nothing_but_a_file(lastport: Lastport, tmp_path: Path, command: str, what: str) -> None:
    """It is refused before anything starts, and as root a device would be gone."""
    place = tmp_path.with_name(f"{tmp_path.name}-page")
    subprocess.run([*command.split(), place], check=True)

    finished = lastport("compare", "port-exhaustion", "--markdown", str(place))

    assert (finished.status, finished.out) == (2, "")
    assert f"--markdown {place} is {what}; name a file" in finished.err


def test_each_verdict_has_its_exit_status() -> None:
    """0: every check held; 1: one failed; 4: the run broke."""
    assert EXIT_STATUS == {"pass": 0, "fail": 1, "error": 4}
