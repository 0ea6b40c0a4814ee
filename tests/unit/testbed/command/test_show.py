"""`lastport show NAME`, and the widths at which lists and this can be read."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from controller.settings import PROFILES, Settings
from controller.settings.keys import SECTIONS
from testbed.command.listing import ROWS
from testbed.command.names import NAMES
from testbed.command.showing import found
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.support.paths import ROOT
from tests.unit.testbed.command.conftest import Lastport

WIDTHS = (40, 60, 80, 120)
SOME = (
    *(
        "port-exhaustion",
        "two-nats",
        "release",
        "carrier",
        "openflow",
        "ovs-ct",
        "netfilter",
        "blocks",
        "hold",
        "cgn",
    ),
    *("on_exhaustion", "external_addresses", "limit_sessions", "refresh_inbound", "rfc9693", "protocol", "guard"),
    "01-out-of-ports",
)
"""Each kind, with the names and values that are the longest."""
REPR = re.compile(r"\bNone\b|\bTrue\b|\bFalse\b|\['|\{'|…")
"""What only Python writes, and the sign of what was cut."""


def shown(name: str) -> dict[str, dict[str, Any]]:
    """Return the facts that a name has, by their kinds."""
    return {facts["kind"]: facts for facts in found(name)}


def by_name(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the descriptions of rows by their names."""
    return {row["name"]: row["description"] for row in rows}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", ROWS)
def test_a_list_fits_the_terminal_and_is_whole(lastport: Lastport, kind: str, columns: int) -> None:
    """Every name begins a line, every word is there, and nothing is as Python writes it."""
    printed = lastport("list", kind, columns=columns).out

    lines = printed.splitlines()
    assert [line for line in lines if len(line) > columns or line.endswith(" ")] == []
    assert REPR.findall(printed) == []
    firsts = {line.split()[0] for line in lines if line}
    assert [row["name"] for row in ROWS[kind]() if row["name"] not in firsts] == []
    left = " ".join(word for line in lines for word in line.split())
    for row in ROWS[kind]():
        assert all(word in left for word in row["description"].split())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", SOME)
def test_what_is_shown_fits_the_terminal(lastport: Lastport, name: str, columns: int) -> None:
    """Nothing is as Python writes it."""
    finished = lastport("show", name, columns=columns)

    assert (finished.status, finished.err) == (0, "")
    assert [line for line in finished.out.splitlines() if len(line) > columns or line.endswith(" ")] == []
    assert REPR.findall(finished.out) == []


@pytest.mark.parametrize("name", sorted({name for names in NAMES.values() for name in names()}))
def test_every_name_of_every_list_is_shown_as_each_of_its_kinds(lastport: Lastport, name: str) -> None:
    """As data and for people."""
    lists = [kind for kind, names in NAMES.items() if name in names()]
    data = json.loads(lastport("show", name, "--json").out)

    assert (data["schema"], data["name"]) == (1, name)
    kinds = [facts["kind"] for facts in data["found"] if facts["kind"] != "parameter"]
    assert len(kinds) == len(lists)
    printed = lastport("show", name).out
    for facts in data["found"]:
        assert f"{facts['kind']} {name}" in printed
        assert all(word in printed for word in facts.get("description", "").split())


def test_names_are_those_of_the_rows() -> None:
    """Names are known without loading what has them."""
    assert {kind: names() for kind, names in NAMES.items()} == {
        kind: [row["name"] for row in rows()] for kind, rows in ROWS.items()
    }


def test_the_sections_of_the_settings_begin_with_the_first_and_are_in_order() -> None:
    """Every setting is in one of them."""
    keys = list(Settings.model_fields)

    assert next(iter(SECTIONS)) == keys[0]
    assert sorted(SECTIONS, key=keys.index) == list(SECTIONS)


def test_a_name_of_two_kinds_is_shown_as_both() -> None:
    """There is a scenario and a bench `release`."""
    assert set(shown("release")) == {"scenario", "bench"}


def test_a_scenario_is_shown_with_its_text_and_the_gateways_that_can_run_it() -> None:
    """The reason is that of the refusal."""
    facts = shown("eviction")["scenario"]

    assert facts["claim"] == "the least recently used connection is thrown out and its port reused"
    assert "Expectation   the idle ones go" in facts["text"]
    assert facts["file"] == "scenarios/eviction.py"
    gateways = by_name(facts["gateways"])
    assert gateways["openflow"] == "can run it"
    assert gateways["netfilter"].startswith("cannot run it: gateway netfilter is not possible with eviction, ")


def test_a_setting_is_shown_with_what_sets_it_and_what_gateways_make_of_it() -> None:
    """In words: followed, followed in part, without effect, refused."""
    facts = shown("on_exhaustion")["setting"]

    assert (facts["default"], facts["source"]) == ("drop", "RFC 6888 REQ-11, RFC 5508 REQ-8")
    assert {"name": "hold", "description": "Holds the packet for a while until a port is free."} in facts[
        "choices"
    ]
    assert {"name": "scenario eviction", "value": "evict-lru", "description": ""} in facts["set_by"]
    (cgn,) = (row for row in facts["set_by"] if row["name"] == "profile cgn")
    assert cgn == {
        "name": "profile cgn",
        "value": "icmp",
        "description": "RFC 6888 REQ-11B: the subscriber gets an ICMP error",
    }
    gateways = by_name(facts["gateways"])
    assert gateways["openflow"] == "follows it"
    assert gateways["netfilter"].startswith("follows on_exhaustion=drop only: Linux sends no refusal")
    assert by_name(shown("hold_timeout")["setting"]["gateways"])["netfilter"] == (
        "changes nothing: belongs to on_exhaustion=hold, which is refused"
    )
    assert by_name(shown("flow_limit")["setting"]["gateways"])["netfilter"].startswith(
        "follows flow_limit=null only"
    )


def test_a_policy_is_shown_with_its_setting_and_the_gateways_that_have_it() -> None:
    """A value that is among the possible ones is followed."""
    assert shown("drop")["policy"]["setting"] == "on_exhaustion=drop"
    assert set(by_name(shown("drop")["policy"]["gateways"]).values()) == {"follows it"}
    assert by_name(shown("hold")["policy"]["gateways"])["ovs-ct"].startswith("follows on_exhaustion=drop only")


def test_a_gateway_is_shown_with_what_it_declares_and_what_it_cannot_do() -> None:
    """Each declared fact has its source."""
    facts = shown("netfilter")["gateway"]

    declared = {row["name"]: row for row in facts["declares"]}
    assert declared["filtering"]["value"] == "edf"
    assert "nf_conntrack_core.c" in declared["filtering"]["description"]
    assert set(by_name(facts["cannot"])) == {"switch-table-full", "eviction"}
    assert by_name(facts["restrictions"])["hold_down_timeout"] == "Linux gives a freed port again at once"
    assert [field["name"] for field in facts["options"]] == ["fully_random", "masquerade", "guard"]


def test_a_parameter_is_shown_with_the_scenarios_that_have_it() -> None:
    """Also with the benches, and their defaults."""
    rows = {row["name"]: row["default"] for row in shown("protocol")["parameter"]["belongs_to"]}

    assert rows["scenario eviction"] == "tcp"
    assert rows["bench rfc9693"] == "tcp"
    assert shown("guard")["parameter"]["example"] == "run port-exhaustion --gateway ovs-ct --set guard=false"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("who_answers_scenario.py:WhoAnswers", "scenario"),
        ("two_rooms_topology.py", "topology"),
        ("one_rule_gateway.py", "gateway"),
        ("odd_ports_allocator.py", "allocator"),
        ("ask_later_policy.py", "policy"),
    ],
)
def test_a_file_of_ones_own_is_shown(lastport: Lastport, file: str, kind: str) -> None:
    """As what it is."""
    path = f"{ROOT}/docs/examples/{file}"

    assert set(shown(path)) == {kind}
    assert f"docs/examples/{file.partition(':')[0]}" in lastport("show", path).out


def test_a_file_without_a_class_of_any_kind_is_refused(lastport: Lastport) -> None:
    """As a run of it would be."""
    finished = lastport("show", str(ROOT / "docs" / "generate.py"))

    assert finished.status == 2
    assert "has no class derived from Scenario" in finished.err


def test_near_names_are_suggested(lastport: Lastport) -> None:
    """Of any kind, also of parameters."""
    assert "did you mean 'home-router'" in lastport("show", "home-ruter").err
    assert "did you mean 'addresses_per_client'" in lastport("show", "adresses_per_client").err


@pytest.mark.parametrize("name", [*Settings.model_fields, "attempts", "protocol", "guard", "holding", "steps"])
def test_the_example_of_a_key_can_be_run(name: str) -> None:
    """It is another value wherever another one is possible with nothing else changed."""
    example = next(facts["example"] for facts in found(name) if facts["kind"] in ("setting", "parameter"))
    command, scenario, *options = shlex.split(example)
    given = dict(zip(options[::2], options[1::2], strict=True))

    assert command == "run"
    assert given["--set"].startswith(f"{name}=")
    resolve(scenario, given.get("--gateway", "openflow"), Choices(sets=[given["--set"]]), datapath="userspace")


@pytest.mark.parametrize("name", PROFILES)
def test_the_example_of_a_profile_can_be_run(name: str) -> None:
    """With room for the ports that a cloud reserves for each machine."""
    (facts,) = found(name)
    command, scenario, option, profile, *sets = shlex.split(facts["example"])

    assert (command, option, profile) == ("run", "--profile", name)
    assert set(sets[::2]) <= {"--set"}
    resolve(scenario, "openflow", Choices(sets=sets[1::2], profile=name), datapath="userspace")


def test_a_drawing_is_whole_or_left_out(lastport: Lastport) -> None:
    """A folded drawing shows nothing."""
    line = "carol 10.0.0.3 --+-- 10.0.255.254 [gateway] 192.0.2.1 -+"

    assert line in lastport("show", "home", columns=120).out
    narrow = lastport("show", "home", columns=60).out
    assert "carol" not in narrow
    assert "(The drawing needs a terminal of 93 columns.)" in narrow


def test_the_name_of_a_list_is_pointed_to_the_list(lastport: Lastport) -> None:
    """It is no name of a thing, and what the user wants is near."""
    assert "did you mean `lastport list labs`?" in lastport("show", "labs").err
