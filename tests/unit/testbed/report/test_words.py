"""How a report words values, answers and sources, and the command that repeats a run."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.report.answer import answer
from testbed.report.repeat import as_typed, repeating
from testbed.report.sources import linked
from testbed.report.words import cut, number, words
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.written import value_of
from tests.support.reports import CHECK, a_run, failed

# Values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"),
        (True, "true"),
        (64512, "64,512"),
        (0.0, "0"),
        (1.5670001, "1.567"),
        (12345.678, "12,345.7"),
        (2e-7, "2.000e-07"),
        (10**40, "1" + "0" * 20 + "..."),
        (float("inf"), "inf"),
        ([1, "a", None], "1, a, none"),
        ([], "none"),
        ({"a": [1, 2]}, "a: 1, 2"),
        ([[[[[1]]]]], "..."),
        ("a\x1b[31mb\u202e", "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_value_is_shown_in_words(value: Any, shown: str) -> None:
    """Whatever JSON can have."""
    assert words(value) == shown


def test_a_long_value_is_cut() -> None:
    """The dots tell."""
    assert cut("a" * 9, 6) == "aaa..."
    assert words(list(range(10_000)), 10) == "0, 1, 2..."
    assert number(10**15 - 1) == "999,999,999,999,999"


# Sources


def test_each_rfc_is_a_link_to_its_section_if_one_is_named() -> None:
    """Anything else is text."""
    assert linked("<b> RFC 7857 section 2.1, RFC 04787 REQ-5; XRFC 12") == (
        '&lt;b&gt; <a href="https://www.rfc-editor.org/rfc/rfc7857#section-2.1">RFC 7857 section 2.1</a>, '
        '<a href="https://www.rfc-editor.org/rfc/rfc4787">RFC 04787</a> REQ-5; XRFC 12'
    )


# The answer


def test_the_answer_tells_what_held_and_with_which_values() -> None:
    """A value is there once, if it is what was expected."""
    checks = [
        CHECK,
        {**CHECK, "claim": "seconds", "expected": "at most 6.5", "observed": 1.5},
        {**CHECK, "key": "leaks"},
    ]

    assert " ".join(answer(a_run(checks=checks, outcomes={"established": 4, "timeout": 1, "reset": 0}))) == (
        "All 3 checks held: exactly 4 attempts are established (4); seconds (1.5, expected at most 6.5); "
        "and 1 more. Of 5 attempts, 4 were established and 1 timed out without a word."
    )


def test_the_answer_tells_first_what_did_not_hold() -> None:
    """With its source; the others are a number."""
    checks = [CHECK, *[failed(f"claim {number}") for number in range(7)]]

    told = answer(a_run(verdict="fail", checks=checks))

    assert told[0] == "7 of 8 checks did not hold."
    assert told[1] == "claim 0: expected 0, observed 3 (RFC 4787 REQ-3, RFC 7857 section 2)."
    assert told[6:] == ["2 more did not hold either.", "The other 1 held: exactly 4 attempts are established (4)."]


def test_a_run_that_broke_answers_nothing() -> None:
    """Whatever its checks had shown."""
    told = answer(a_run(verdict="error", error="the machine was too busy.", checks=[CHECK, failed()]))

    assert told == [
        "There is no answer, since the run broke: the machine was too busy. No NAT is to blame for that.",
        "1 check had held by then, and 1 had not.",
    ]


# The command


@pytest.mark.parametrize(
    ("scenario", "gateway", "choices"),
    [
        ("port-exhaustion", "openflow", Choices()),
        ("port-exhaustion", "netfilter", Choices(topology="campus", seed=9, sets=["ports=16"])),
        (
            "port-exhaustion",
            "openflow",
            Choices(sets=["external_addresses=[192.0.2.7, 192.0.2.9]", "time_scale=0.5"]),
        ),
        ("port-exhaustion", "openflow", Choices(sets=["port_quota=null", "protocol=udp"], profile="cgn")),
        ("two-nats", "openflow", Choices(sets=["beyond=3", "on_exhaustion=icmp"])),
    ],
    ids=["by default", "with options", "with a list", "with null", "with a parameter"],
)
def test_the_command_repeats_the_run(scenario: str, gateway: str, choices: Choices) -> None:
    """What it chooses leads to the same parameters, settings and seed."""
    ran = resolve(scenario, gateway, choices, datapath="userspace")
    command = repeating(a_run(scenario=scenario, gateway=gateway, chosen=ran.model_dump(mode="json")["chosen"]))

    words = shlex.split(command)
    assert words[:4] == ["sudo", "./lastport", "run", scenario]
    options = list(zip(words[4::2], words[5::2], strict=True))
    given = dict(options)
    repeated = Choices(
        topology=given.get("--topology"),
        profile=given.get("--profile", "plain"),
        seed=int(given.get("--seed", 1)),
        sets=[value for option, value in options if option == "--set"],
    )
    again = resolve(scenario, given.get("--gateway", "openflow"), repeated, datapath="userspace")
    assert again == ran


def test_the_command_repeats_a_run_with_different_nats() -> None:
    """A NAT of one's own kind is no setting."""
    choices = Choices(sets=["gateway-b.port_allocation_type=random"], kinds={"gateway-b": "netfilter"})
    ran = resolve("hole-punching", "openflow", choices, datapath="userspace").model_dump(mode="json")
    run = a_run(scenario="hole-punching", chosen=ran["chosen"], network=ran["network"])

    assert repeating(run).removeprefix("sudo ./lastport run hole-punching ") == (
        "--gateway gateway-b=netfilter --set gateway-b.port_allocation_type=random"
    )


@given(st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans())
def test_a_value_is_read_as_it_was(value: Any) -> None:
    """Through the shell and through YAML, a text that looks like a number as well."""
    *_, given = shlex.split(repeating(a_run(chosen={"key": value})))

    assert value_of(given.removeprefix("key=")) == value


def test_the_command_as_it_was_typed_is_quoted() -> None:
    """It may have been a comparison."""
    assert as_typed({"command": ["run", "my file.py", "$(x)"]}) == "sudo ./lastport run 'my file.py' '$(x)'"
    assert as_typed({"command": []}) == ""


@pytest.mark.parametrize("typed", [["shell", "carrier", "-g", "ovs-ct"], ["exec", "--", "curl", "http://server/"]])
def test_what_a_command_asked_is_repeated_as_it_was_typed(typed: list[str]) -> None:
    """No `run` answers it."""
    command = repeating(a_run(scenario=typed[0], topology="carrier", gateway="ovs-ct", command=typed))

    assert command == f"sudo ./lastport {' '.join(typed)}"
