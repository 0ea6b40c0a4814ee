"""The scenario port-exhaustion on the real thing, at small sizes."""

from __future__ import annotations

import subprocess

import pytest

from tests.emulation.conftest import DEADLINE_S, FILES, SMALL, Finished, Run, Start


def finish(process: subprocess.Popen[str]) -> Finished:
    """Wait for a run's end."""
    output, complaints = process.communicate(timeout=DEADLINE_S)
    return Finished(process.returncode, output, complaints)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_nat_runs_out_of_ports_and_keeps_what_it_has(run: Run, protocol: str) -> None:
    """As many attempts as ports are established, the others time out, and every check holds."""
    finished = run("run", "port-exhaustion", *SMALL, "--set", f"protocol={protocol}", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["verdict"] == "pass"
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["outcomes"]["timeout"] == 8
    assert sum(finished.result["outcomes"].values()) == 24


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("policy", "tcp", "udp"),
    [
        ("icmp", {"established": 16, "icmp": 8}, {"established": 16, "icmp": 8}),
        ("reset", {"established": 16, "reset": 8}, {"established": 16, "icmp": 8}),
        ("evict-lru", {"established": 16, "evicted": 8}, {"established": 16, "evicted": 8}),
        ("hold", {"established": 16, "timeout": 8}, {"established": 16, "timeout": 8}),
    ],
    ids=["icmp", "reset", "evict-lru", "hold"],
)
def test_what_becomes_of_the_others_is_as_chosen(
    run: Run, policy: str, protocol: str, tcp: dict[str, int], udp: dict[str, int]
) -> None:
    """For every way to run out: the hosts and the wire saw it, and every check holds."""
    chosen = ("--set", f"on_exhaustion={policy}", "--set", f"protocol={protocol}")
    finished = run("run", "port-exhaustion", *SMALL, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    outcomes = {outcome: count for outcome, count in finished.result["outcomes"].items() if count}
    assert outcomes == (tcp if protocol == "tcp" else udp)


@pytest.mark.parametrize(
    ("settings", "counter"),
    [
        (("port_quota=2",), "dropped_port_limit_packets"),
        (("limit_port_mappings=8",), "dropped_mapping_limit_packets"),
        (("limit_sessions=8",), "dropped_state_limit_packets"),
        (("flow_limit=8",), "dropped_flow_table_packets"),
        (("external_addresses=2", "ports=4", "address_allocation_type=arbitrary"), "dropped_address_packets"),
    ],
    ids=["quota", "mappings", "sessions", "flow table", "pool"],
)
def test_whichever_limit_is_reached_the_same_choice_applies(
    run: Run, settings: tuple[str, ...], counter: str
) -> None:
    """Four clients with two connections each, whatever limits them; and the counter says what it was."""
    sizes = ("clients=4", "attempts=12", "ports=16", "on_exhaustion=icmp", *settings)
    sets = [word for size in sizes for word in ("--set", size)]
    finished = run("run", "port-exhaustion", *sets, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 8
    assert finished.result["outcomes"]["icmp"] == 4
    assert finished.result["counters"][counter] > 0


@pytest.mark.parametrize("allocator", ["sequential", "preserving", "blocks", "linux-like"])
def test_every_allocator_fills_the_pool(run: Run, allocator: str) -> None:
    """To the last port, and the second time as well; `linux-like` does so where it is not too large."""
    finished = run(
        "run", "port-exhaustion", *SMALL, "--set", "port_set_size=4", "--allocator", allocator, "--json"
    )

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_a_nat_with_ports_to_spare_refuses_nobody(run: Run) -> None:
    """With fewer attempts than ports all are established."""
    finished = run("run", "port-exhaustion", "--set", "ports=16", "--set", "attempts=10", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 10
    assert finished.result["outcomes"]["timeout"] == 0


def test_one_port_serves_one_connection(run: Run) -> None:
    """The smallest NAT has one port."""
    finished = run("run", "port-exhaustion", "--set", "ports=1", "--set", "attempts=3", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 1


def test_two_addresses_have_twice_the_ports(run: Run) -> None:
    """Each external address brings its own ports."""
    sizes = ("--set", "ports=8", "--set", "external_addresses=2", "--set", "clients=4")
    finished = run("run", "port-exhaustion", *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_the_framework_may_be_os_ken(run: Run) -> None:
    """The same controller runs on Ryu's fork."""
    finished = run("run", "port-exhaustion", *SMALL, "--json", LASTPORT_FRAMEWORK="os-ken")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["environment"]["framework"].startswith("os-ken ")


def test_two_runs_at_once_do_not_meet(start: Start) -> None:
    """Two runs have the same addresses, names and ports, and nothing in common."""
    runs = [
        start("run", "port-exhaustion", *SMALL, "--seed", seed, "--out", f"run-{seed}", "--json")
        for seed in ("1", "2")
    ]
    finished = [finish(process) for process in runs]

    assert [each.status for each in finished] == [0, 0], [each.output + each.complaints for each in finished]


def test_the_first_to_fail_is_the_first_beyond_the_last_port(run: Run) -> None:
    """Attempts are made in order, so the story can name the first that failed."""
    finished = run("run", "port-exhaustion", *SMALL)

    assert finished.status == 0, finished.output + finished.complaints
    assert "Attempt 17 of 24 was the first to fail" in finished.output


@pytest.mark.parametrize(
    ("gateway", "claims"),
    [
        ("Leaky", ["no packet left untranslated"]),
        ("Forgetful", ["connections that still carry data, from the same external endpoint"]),
        ("Boastful", ["the gateway agrees: ports allocated when full"]),
        ("Boundless", ["exactly 16 attempts are established", "belong to the pool"]),
        ("Miserly", ["the pool is whole again", "connections of a second fill that carry data"]),
    ],
)
def test_a_broken_nat_is_found_out(run: Run, gateway: str, claims: list[str]) -> None:
    """The checks bite: each broken gateway fails the check that is about its fault."""
    finished = run(
        "run", "port-exhaustion", *SMALL, "--gateway", f"{FILES}/broken_gateways.py:{gateway}", "--json"
    )

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["verdict"] == "fail"
    assert all(any(claim in failure for failure in finished.failed) for claim in claims), finished.failed


@pytest.mark.parametrize("protocol", ["tcp", "icmp"])
def test_what_leaked_is_told_by_who_sent_it(run: Run, protocol: str) -> None:
    """Each attempt counts as leaked: a ping is known by its identifier, as others are by their ports."""
    leaky = ("--set", f"protocol={protocol}", "--gateway", f"{FILES}/broken_gateways.py:Leaky")
    finished = run("run", "port-exhaustion", *SMALL, *leaky, "--json")

    assert finished.result["outcomes"]["leaked"] == 24, finished.output + finished.complaints


def test_an_allocator_and_a_policy_of_ones_own_can_be_run(run: Run) -> None:
    """A student's strategies are given by their file and class."""
    own = FILES / "own_strategies.py"
    chosen = ("--allocator", f"{own}:HighestFirst", "--set", f"on_exhaustion={own}:Polite")
    finished = run("run", "port-exhaustion", *SMALL, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["outcomes"]["icmp"] == 8


def test_a_port_that_is_none_of_the_nat_s_ends_the_run_with_a_sentence(run: Run) -> None:
    """It is an allocator's fault, and its author reads which port it was and which there are."""
    own = f"{FILES}/own_strategies.py:Astray"
    finished = run("run", "port-exhaustion", "--allocator", own, "--set", "ports=64", "--json")

    assert finished.status == 4, finished.output + finished.complaints
    sentence = finished.result["last_words"]
    assert sentence.startswith(f"controller: allocator {own!r}: class Astray gave 10.0.0.")
    assert " the port 80, which is not one of its ports, 1024 to 1087; " in sentence
    assert "Traceback" not in sentence
