"""The command line, as far as it goes without root: lists, help, and the refusal of wrong input."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.command import listing
from testbed.command.cli import main
from testbed.run.exit_status import EXIT_STATUS

KINDS = ("scenarios", "topologies", "gateways", "allocators", "policies", "profiles", "settings", "benches")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it wrote."""

    status: object
    out: str
    err: str


Lastport = Callable[..., Finished]


@pytest.fixture
def lastport(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lastport:
    """Run the command in this process, in an empty folder."""

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["lastport", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert list(tmp_path.iterdir()) == [], "it left files"
        return Finished(ended.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return run


def listed(lastport: Lastport, kind: str) -> list[dict[str, Any]]:
    """Return the rows of a list."""
    rows: list[dict[str, Any]] = json.loads(lastport("list", kind, "--json").out)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_is_printed_as_json(lastport: Lastport, kind: str) -> None:
    """Standard output has one value and nothing else; each row has a name."""
    finished = lastport("list", kind, "--json")

    assert (finished.status, finished.err) == (0, "")
    rows = json.loads(finished.out)
    assert rows
    assert all(row["name"] for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_is_printed_for_people(lastport: Lastport, kind: str) -> None:
    """Every name is in it."""
    finished = lastport("list", kind)

    assert finished.status == 0
    assert [row["name"] for row in listed(lastport, kind) if row["name"] not in finished.out] == []


def test_scenarios_are_listed_by_default(lastport: Lastport) -> None:
    """`lastport list` without a kind prints the scenarios."""
    assert "port-exhaustion" in lastport("list").out


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
    assert rows["address_allocation_type"]["allowed"] == ["paired", "paired-soft", "arbitrary", "roundrobin"]
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
    """`--json` prints data; without it, each profile that sets anything has a table."""
    rows = {row["name"]: row for row in listed(lastport, "profiles")}

    assert list(rows) == ["plain", "cgn", "overlap", "home-router"]
    for row in rows.values():
        assert set(row) == {"name", "description", "settings", "reasons"}
        assert row["description"]
        assert list(row["settings"]) == list(row["reasons"])
    assert rows["cgn"]["settings"]["icmp_code"] == 1
    assert rows["cgn"]["reasons"]["icmp_code"].startswith("RFC 6888 REQ-11B: ")

    told = lastport("list", "profiles").out
    assert "settings of plain" not in told
    assert "settings of home-router" in told
    assert "34 home gateways held from 16 to about 1,024 (Hätönen et al., IMC 2010)" in told


def test_what_a_setting_may_be_is_printed_for_people(lastport: Lastport) -> None:
    """Names are printed as they are typed, without the marks of a Python list."""
    told = lastport("list", "settings").out

    assert "eim, adm, edm" in told
    assert "1 to 64,512" in told
    assert "['" not in told


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
        (["compare", "--all", "--set", "prots=8"], "did you mean 'ports'?"),
        (["run", "port-exhaustion", "--no-such-option"], "--no-such-option"),
        (["nonsense"], "nonsense"),
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


@pytest.mark.parametrize(
    "command",
    [[], ["run"], ["compare"], ["runs"], ["list"], ["doctor"]],
    ids=lambda command: "".join(command) or "all",
)
def test_help_is_given(lastport: Lastport, command: list[str]) -> None:
    """`--help` works for the whole, and for each command."""
    finished = lastport(*command, "--help")

    assert (finished.status, finished.err) == (0, "")
    assert "Usage: " in finished.out


def test_an_interruption_before_a_run_begins_ends_the_command_without_a_word(
    lastport: Lastport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is that of a command that a signal ended, and not that of a failed check."""
    monkeypatch.setattr(listing, "rows", lambda: os.kill(os.getpid(), signal.SIGINT))

    assert lastport("list") == Finished(130, "", "")


def test_each_verdict_has_its_exit_status() -> None:
    """0: every check held; 1: one failed; 4: the run broke."""
    assert EXIT_STATUS == {"pass": 0, "fail": 1, "error": 4}
