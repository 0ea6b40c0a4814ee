"""The verbs of an experiment: what a scenario reports by them, and what is checked whatever it does."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from testbed.evidence.busy import Failure
from testbed.evidence.findings import CLAIMS
from testbed.evidence.judge import WitnessError
from testbed.evidence.matching import Matched
from testbed.experiment.expectations import at_least, at_most
from testbed.experiment.experiment import Experiment, UnfinishedError, key_of
from testbed.experiment.frames import Findings
from testbed.experiment.judgement import BEARS_S
from testbed.experiment.parameters import PatientParameters
from testbed.traffic.records import Sent, Sighting
from tests.support.experiments import Told, attempt, experiment
from topologies.gateways.behaviour import Entry


def test_a_check_tells_its_key_claim_values_and_source() -> None:
    """The key is the claim without its numbers, unless one is given."""
    x, told = experiment()

    x.check("exactly 64 attempts are established", expected=64, observed=63, source="RFC 4787 REQ-3")
    x.check("nearly 64", key="established", expected=at_least(60), observed=63, source="RFC 4787 REQ-3")

    assert told.checks == [
        {
            "key": "exactly-attempts-are-established",
            "claim": "exactly 64 attempts are established",
            "expected": 64,
            "observed": 63,
            "ok": False,
            "source": "RFC 4787 REQ-3",
        },
        {
            "key": "established",
            "claim": "nearly 64",
            "expected": "at least 60",
            "observed": 63,
            "ok": True,
            "source": "RFC 4787 REQ-3",
        },
    ]


@pytest.mark.parametrize(
    ("claim", "key"),
    [
        ("exactly 64,512 attempts", "exactly-attempts"),
        ("at 0.7 of capacity", "at-of-capacity"),
        ("alice's NAT", "alices-nat"),
        ("TCP: 32 of 40", "tcp-of"),
        ("type 3/13", "type"),
        ("IPv4 port2", "ipv4-port2"),
    ],
)
def test_a_claim_has_one_key_whatever_numbers_are_in_it(claim: str, key: str) -> None:
    """A number stands alone; one within a word belongs to the word."""
    assert key_of(claim) == key


def test_two_checks_of_one_key_are_an_author_s_mistake() -> None:
    """Results could not be compared; the error says what to do."""
    x, _ = experiment()
    x.check("2 of 3", expected=2, observed=2, source="arithmetic")

    with pytest.raises(ValueError, match=r"two checks have the key 'of'; give one of them another: key="):
        x.check("4 of 5", expected=4, observed=4, source="arithmetic")


def test_the_gateway_agrees_by_a_counter_whose_source_is_known() -> None:
    """The scenario names the counter, and nothing else."""
    x, told = experiment(counters={"ports_allocated": 63})

    x.agrees("ports allocated", 64, "ports_allocated")

    assert told.check == {
        "key": "gateway-ports-allocated",
        "claim": "the gateway agrees: ports allocated",
        "expected": 64,
        "observed": 63,
        "ok": False,
        "source": "RFC 8512 ports-allocated",
    }


@pytest.mark.parametrize("counters", [{}, {"ports_allocated": None}])
def test_a_counter_that_a_gateway_does_not_know_is_passed_over(counters: dict[str, int | None]) -> None:
    """It never turns a check red."""
    x, told = experiment(counters=counters)

    x.agrees("ports allocated", 64, "ports_allocated")

    assert told.checks == []


def test_several_counters_are_added_as_far_as_they_are_known() -> None:
    """A gateway may count drops by some reasons only."""
    x, told = experiment(
        counters={"dropped_port_packets": 3, "dropped_rate_packets": 2, "dropped_hold_packets": None}
    )

    x.agrees("drops", 5, "dropped_port_packets", "dropped_rate_packets", "dropped_hold_packets")

    assert (told.check["observed"], told.check["source"]) == (5, "RFC 8512 dropped-port-packets and its like")


def test_a_sum_without_its_first_counter_is_passed_over() -> None:
    """Other reasons alone do not tell how many were dropped."""
    x, told = experiment(counters={"dropped_rate_packets": 0})

    x.agrees("drops", 5, "dropped_port_packets", "dropped_rate_packets")

    assert told.checks == []


def test_counters_of_several_moments_are_compared_one_by_one() -> None:
    """If one of them is not known, nothing is checked."""
    x, told = experiment()

    x.agrees("ports", [1, 2], "ports_allocated", of=[{"ports_allocated": 1}, {"ports_allocated": 3}])
    x.agrees("more ports", [1, 2], "ports_allocated", of=[{"ports_allocated": 1}, {}])

    assert (told.check["expected"], told.check["observed"], told.check["ok"]) == ([1, 2], [1, 3], False)


def test_a_counter_of_no_source_is_an_author_s_mistake() -> None:
    """A name that is not in the table is not RFC 8512's, nor ours."""
    x, _ = experiment(counters={"ports_taken": 1})

    with pytest.raises(ValueError, match="ports_taken"):
        x.agrees("ports", 1, "ports_taken")


def test_attempts_are_counted_once_each_by_how_they_ended() -> None:
    """One that was established and carried no data afterwards was evicted; a second account adds to the first."""
    x, told = experiment(counters={"ports_allocated": 1})

    first = x.account([attempt("established"), attempt("established", number=2), attempt("icmp", number=3)], {1})
    x.account([attempt("timeout", number=4)])

    assert (first["established"], first["evicted"], first["icmp"]) == (1, 1, 1)
    *_, last = told.records("outcomes")
    counted = {outcome: count for outcome, count in last["outcomes"].items() if count}
    assert counted == {"established": 1, "evicted": 1, "icmp": 1, "timeout": 1}
    assert told.records("counters")[-1]["counters"] == {"ports_allocated": 1}


def test_an_attempt_that_shared_its_endpoint_counts_as_shared() -> None:
    """Whatever else became of it."""
    x, _ = experiment(shared=(1,))

    assert x.account([attempt("established")], {1})["shared"] == 1


def checked(**options: Any) -> tuple[Experiment[Any], Told]:
    """Return an experiment that has checked something, and what it has told."""
    x, told = experiment(**options)
    x.check("it holds", expected=1, observed=1, source="RFC", key="own")
    return x, told


def test_a_scenario_that_forgets_to_account_is_an_error() -> None:
    """It says what to do; with `account`, even of nothing, it ends in order."""
    forgetful, _ = checked()
    other, told = checked()
    other.account()
    other.conclude()

    with pytest.raises(UnfinishedError, match=r"accounts for no attempts: end with x\.account"):
        forgetful.conclude()
    assert [check["key"] for check in told.checks] == ["own", "leaks", "sharing"]


def test_a_scenario_that_checks_nothing_is_an_error() -> None:
    """What is checked after every scenario does not answer its question, and no NAT is to blame."""
    x, _ = experiment()
    x.account()

    with pytest.raises(UnfinishedError, match=r"asked nothing: write x\.check"):
        x.conclude()


@pytest.mark.parametrize(("leaks", "shared", "red"), [(0, (), []), (1, (), ["leaks"]), (0, (5, 6), ["sharing"])])
def test_leaks_and_sharing_turn_any_run_red(leaks: int, shared: tuple[int, ...], red: list[str]) -> None:
    """They are checked in the end, whatever the scenario has checked."""
    x, told = checked(leaks=leaks, shared=shared)
    x.account()
    x.conclude()

    assert [check["key"] for check in told.checks if not check["ok"]] == red


def test_the_time_until_clients_knew_is_kept_where_attempts_were_refused() -> None:
    """Of all attempts that the scenario accounts for, by what their clients saw."""
    x, told = checked()
    x.account([attempt("established", number=1)], echoed=[1])
    x.account([attempt("timeout", number=2), attempt("timeout", number=3)])
    x.conclude()

    kept = [
        record["series"]["until_known"] for record in told.records("series") if "until_known" in record["series"]
    ]
    assert [[(row["outcome"], row["attempts"], row["seconds"][0]) for row in rows] for rows in kept] == [
        [("timeout", 2, 1.0), ("established", 1, 1.0)]
    ]


@pytest.mark.parametrize("key", CLAIMS)
def test_what_no_run_may_have_turns_any_run_red(key: str) -> None:
    """The check has the finding's key, and its number."""
    x, told = checked(findings=dict.fromkeys(CLAIMS, 0) | {key: 2})
    x.account()
    x.conclude()

    assert [(check["key"], check["observed"]) for check in told.checks if not check["ok"]] == [(key, 2)]
    assert {*CLAIMS} <= {check["key"] for check in told.checks}


def test_a_story_is_filled_with_facts_parameters_and_settings() -> None:
    """It stands in the scenario's file; the filter n writes a number with commas."""
    x, told = experiment(
        story="{{ parameters.clients }} clients, {{ settings.ports|n }} ports, {{ kept }} kept", ports=4096
    )

    x.tell(kept=3)

    assert told.records("story")[0]["text"] == "8 clients, 4,096 ports, 3 kept"


def test_what_there_is_to_say_of_a_gateway_ends_the_story() -> None:
    """Such as the exceptions of an app. Most gateways have nothing to say."""
    x, told = experiment(
        story="Once upon a time.",
        remarks={"one": "", **dict.fromkeys(("other", "like it"), "It raised something.")},
    )

    x.tell()

    assert told.records("story")[0]["text"] == "Once upon a time.\n\nIt raised something."


def test_a_story_may_stand_in_a_file_beside_the_scenario(tmp_path: Path) -> None:
    """Its path is given in the place of its text."""
    (tmp_path / "mine.j2").write_text("{{ kept }} kept\n")
    x, told = experiment(story=tmp_path / "mine.j2")

    x.tell(kept=3)

    assert told.records("story")[0]["text"] == "3 kept"


def test_a_story_that_names_an_unknown_fact_is_an_author_s_mistake() -> None:
    """Nothing is left blank without a word."""
    x, _ = experiment(story="{{ kept }}")

    with pytest.raises(jinja2.UndefinedError, match="kept"):
        x.tell()


def test_a_counter_that_is_misspelled_is_an_error_though_no_gateway_knows_it() -> None:
    """The check would otherwise never be made."""
    x, _ = experiment(counters={})

    with pytest.raises(ValueError, match="did you mean 'ports_allocated'"):
        x.agrees("ports", 1, "ports_alocated")


@pytest.mark.parametrize("key", ["leaks", "sharing", "sources", "transfer", "counters", "port-order"])
def test_the_keys_of_what_follows_every_scenario_are_taken(key: str) -> None:
    """A scenario's own check must not stand in for the judge's."""
    x, _ = experiment()

    with pytest.raises(ValueError, match="after every scenario"):
        x.check("mine", key=key, expected=0, observed=0, source="arithmetic")


@pytest.mark.parametrize(
    ("claim", "key"),
    [
        ("answers within 2s", "answers-within-s"),
        ("0.4 s, 3/13, 64,512 ports", "s-ports"),
        ("Größe", "größe"),
        ("рост", "рост"),
    ],
)
def test_a_key_is_made_of_the_words_without_the_numbers(claim: str, key: str) -> None:
    """The words may be of any language, and a number may have its unit."""
    assert key_of(claim) == key


def test_a_claim_without_a_word_needs_a_key() -> None:
    """Two such claims would have one key."""
    x, _ = experiment()

    with pytest.raises(ValueError, match="key="):
        x.check("1 + 1", expected=2, observed=2, source="arithmetic")


@pytest.mark.parametrize(
    ("expected", "observed", "ok"),
    [
        ((1, 2), [1, 2], True),
        ([at_least(1), 2], [3, 2], True),
        ([at_least(1), 2], [0, 2], False),
        ([1], [1, 1], False),
        (0, [], False),
        ({"a"}, {"a"}, True),
    ],
)
def test_an_expectation_of_several_parts_is_met_part_by_part(expected: object, observed: object, ok: bool) -> None:
    """A tuple and a list with the same parts are equal, as they are in the results."""
    x, told = experiment()

    x.check("parts", expected=expected, observed=observed, source="arithmetic")

    assert told.check["ok"] is ok
    json.dumps(told.check)


def test_a_network_to_which_packets_may_leave_untranslated_is_named_by_the_check() -> None:
    """RFC 6888 REQ-6: an exception is never silent."""
    x, told = checked()
    x.lab.untranslated = [IPv4Network("198.51.100.0/24")]
    x.account()
    x.conclude()

    (check,) = [each for each in told.checks if each["key"] == "leaks"]
    assert check["claim"] == "no packet left untranslated, but to 198.51.100.0/24"
    assert "RFC 6888 REQ-6, the setting untranslated_destinations" in check["source"]


def test_a_story_that_is_never_told_is_an_error() -> None:
    """The reader of the run would see none."""
    silent, _ = checked(story="{{ number }} ports")
    silent.account()
    other, told = checked(story="{{ number }} ports")
    other.tell(number=3)
    other.account()
    other.conclude()

    with pytest.raises(UnfinishedError, match=r"tells no story: end with x\.tell"):
        silent.conclude()
    assert [check["key"] for check in told.checks if not check["ok"]] == []


def test_a_counter_of_which_a_check_expects_at_least_some_has_a_bound_by_what_was_sent() -> None:
    """A NAT cannot have dropped what reached the servers, nor what nobody sent."""
    honest, told = experiment(counters={"dropped_port_packets": 30}, sent=100, lost=30)
    honest.agrees("packets dropped", at_least(20), "dropped_port_packets")
    boastful, also_told = experiment(counters={"dropped_port_packets": 31}, sent=100, lost=30)
    boastful.agrees("packets dropped", at_least(20), "dropped_port_packets")

    assert (told.check["expected"], told.check["ok"]) == ("at least 20", True)
    assert (also_told.check["expected"], also_told.check["ok"]) == ("20 to 30", False)
    assert "did not arrive at any" in told.check["source"]


def test_a_gateway_need_not_have_counted_what_its_links_lost() -> None:
    """It never got that. What it counts beyond is bounded as ever."""
    x, told = experiment(counters={"dropped_port_packets": 15}, links_lost=5, lost=30)
    x.agrees("packets dropped", at_least(20), "dropped_port_packets")
    lazy, also_told = experiment(counters={"dropped_port_packets": 14}, links_lost=5, lost=30)
    lazy.agrees("packets dropped", at_least(20), "dropped_port_packets")

    assert (told.check["expected"], told.check["ok"]) == ("at least 15", True)
    assert not also_told.check["ok"]


def test_where_links_change_the_order_of_packets_nobody_judges_that_of_ports() -> None:
    """The servers' records are all that there is of it."""
    x, told = experiment(links_lost=1)
    x.check("something", expected=1, observed=1, source="this test")
    x.account()
    x.conclude()

    (record,) = (each["series"] for each in told.records("series") if "not_looked_at" in each["series"])
    assert "links change the order" in record["not_looked_at"]["port-order"]


def test_what_the_hosts_know_of_their_attempts_is_never_beyond_the_bound() -> None:
    """Both are evidence: a packet that a host sent and that no tally has seen was sent all the same."""
    x, told = experiment(counters={"dropped_port_packets": 20}, lost=10)

    x.agrees("packets dropped", at_least(20), "dropped_port_packets")

    assert told.check["ok"]


def test_every_run_bounds_the_counters_though_no_check_reads_them() -> None:
    """The most that the hosts sent, and the most that the pool has."""
    x, told = checked(counters={"dropped_port_packets": 1_000_009, "ports_free": 65}, sent=9, ports=64)
    x.account()
    x.conclude()

    (red,) = [check for check in told.checks if not check["ok"]]
    assert red["key"] == "counters"
    assert red["observed"] == [
        "dropped_port_packets=1,000,009, of at most 9 packets that left a host",
        "ports_free=65, of at most 64 ports of the pool",
    ]


def test_what_nobody_looked_at_is_said() -> None:
    """Counters that no check has read, an order that too few ports show, a transfer without a connection."""
    x, told = checked(counters={"ports_allocated": 1, "resets_sent": 0, "held_packets": None})
    x.agrees("ports", 1, "ports_allocated")
    x.account()
    x.conclude()

    series: dict[str, Any] = {}
    for record in told.records("series"):
        series |= record["series"]
    assert series["counters_not_checked"] == ["resets_sent"]
    assert set(series["not_looked_at"]) == {"port-order", "transfer"}


def test_every_run_has_a_transfer_over_a_connection_of_the_scenario() -> None:
    """Both ends may be the scenario's own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            x, told = checked(pairs=[(client, server)])
            x.account()
            x.conclude()

    (check,) = [check for check in told.checks if check["key"] == "transfer"]
    assert (check["observed"], check["ok"]) == (0, True)
    assert "262,144 each way" in check["claim"]


def seen_in(ports: Iterable[int]) -> list[Sighting]:
    """Return clients that came from these ports, one after another."""
    return [
        Sighting(nonce, "192.0.2.1", 1024 + place, float(nonce), float(nonce), ("198.51.100.1", 7))
        for nonce, place in enumerate(ports)
    ]


@pytest.mark.parametrize(
    ("allocator", "ports", "ok"),
    [
        ("random", range(64), False),
        ("random", random.Random(1).sample(range(64), 64), True),
        ("sequential", range(64), True),
        ("sequential", random.Random(1).sample(range(64), 64), False),
        ("preserving", range(64), None),
        ("random", range(8), None),
    ],
)
def test_ports_have_to_come_in_the_order_that_is_declared(
    allocator: str, ports: Sequence[int], ok: bool | None
) -> None:
    """Where nothing is declared, or nothing can be seen, there is no check."""
    x, told = checked(ports=64, port_allocation_type=allocator, sightings=seen_in(ports))
    x.account()
    x.conclude()

    checks = [check["ok"] for check in told.checks if check["key"] == "port-order"]
    assert checks == ([] if ok is None else [ok])


@pytest.mark.parametrize(("given", "ok"), [(range(100, 132), True), (range(200, 232), False)])
def test_ports_that_hosts_asked_for_are_given_where_that_is_declared(given: range, ok: bool) -> None:
    """Those ports come in the order in which hosts choose them, and show no other."""
    x, told = checked(ports=1024, port_allocation_type="preserving", sightings=seen_in(given))
    x.account(
        replace(attempt("established"), nonce=nonce, source=("10.0.0.1", 1024 + 100 + nonce))
        for nonce in range(32)
    )
    x.conclude()

    assert [check["ok"] for check in told.checks if check["key"] == "port-order"] == [ok]


def test_a_counter_is_never_below_nothing() -> None:
    """A check that expects at most some has a lower bound too."""
    x, told = experiment(counters={"packet_ins_known_mappings": -1})

    x.agrees("packets of known mappings", at_most(16), "packet_ins_known_mappings")

    assert (told.check["expected"], told.check["ok"]) == ("0 to 16", False)


def test_a_failed_check_is_kept_with_the_lateness_that_it_bears() -> None:
    """A check that holds is not. Without a number it is what most checks bear."""
    x, _ = experiment(counters={"ports_allocated": 63})
    x.check("held", expected=1, observed=1, source="arithmetic", bears=0.1)
    x.check("usual", expected=1, observed=2, source="arithmetic")
    x.check("timed", expected=1, observed=2, source="arithmetic", bears=0.3, late=0.2)
    x.check("seen", expected=1, observed=2, source="arithmetic", bears=None)
    x.agrees("ports", 64, "ports_allocated", bears=0.4)

    assert x.failures == [
        Failure("usual", BEARS_S),
        Failure("timed", 0.3, 0.2),
        Failure("seen", None),
        Failure("gateway-ports", 0.4),
    ]


def test_no_check_bears_more_than_half_of_the_patience() -> None:
    """An attempt that is given up after that time cannot wait for longer."""
    x, _ = experiment(parameters=PatientParameters(patience=0.5))
    x.check("usual", expected=1, observed=2, source="arithmetic")

    assert x.failures == [Failure("usual", 0.25)]


def test_no_lateness_excuses_a_leak_or_sharing() -> None:
    """They were seen."""
    x, _ = experiment(leaks=1, shared=(1,))
    x.check("held", expected=1, observed=1, source="arithmetic")
    x.account()
    x.conclude()

    assert x.failures == [Failure("leaks", None), Failure("sharing", None)]


def test_a_scenario_that_was_late_itself_is_so_for_all_its_later_checks() -> None:
    """Such as a fill that took longer than the idle timer."""
    x, _ = experiment()
    x.was_late(-3.0)
    x.check("before", expected=1, observed=2, source="arithmetic")
    x.was_late(2.5)
    x.check("after", expected=1, observed=2, source="arithmetic")

    assert [failure.late for failure in x.failures] == [0.0, 2.5]


def test_a_busy_machine_that_leaves_open_what_became_of_packets_ends_the_run_as_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the machine cannot have caused is checked first."""
    found = Findings(
        trains=[Matched(sent=2, arrived=1, lost=1, waits=[0.1])], too_busy="this machine was too busy"
    )
    monkeypatch.setattr("testbed.experiment.frames.examine", lambda lab, refuses: found)
    x, told = checked()
    x.account()

    with pytest.raises(WitnessError, match="this machine was too busy"):
        x.conclude()
    assert [check["key"] for check in told.checks][-3:] == ["frames-doubled", "frames-damaged", "frames-rewritten"]


def test_packets_are_not_matched_where_a_gateway_relays_connections() -> None:
    """None has a counterpart on the other side. The reader is told, with the gateway's own source."""
    x, told = checked()
    relaying = replace(x.lab.behaviour, relays=Entry(True, "its manual", "1.0"))
    x.lab.behaviours = {"gateway": relaying}
    x.account()
    x.conclude()

    assert [check["key"] for check in told.checks if check["key"].startswith("frames-")] == []
    (unlooked,) = [
        each["series"]["not_looked_at"] for each in told.records("series") if "not_looked_at" in each["series"]
    ]
    assert "its manual (1.0)" in unlooked["single-packets"]


@pytest.mark.parametrize("passes", [True, False])
def test_a_transfer_that_stands_still_is_no_fault_of_the_nat_if_nothing_passes_beside_it(passes: bool) -> None:
    """Then the machine may be the cause, and the run ends as an error."""
    sent = Sent("tcp", attempt("established"), size=9, wrong_back=7, seconds=10.0, passes=passes)
    x, told = checked(senders=[SimpleNamespace(transfer=lambda size, hosts: [sent])])
    x.account()
    with nullcontext() if passes else pytest.raises(WitnessError, match="too busy"):
        x.conclude()

    red = [check["key"] for check in told.checks if not check["ok"]]
    assert red == (["transfer"] if passes else [])
