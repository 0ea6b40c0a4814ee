"""The scenario port-exhaustion in real labs, at small sizes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.emulation.conftest import DEADLINE_S, FILES, SMALL, Finished, Run, Start
from tests.support.recordings import require_agreement


def finish(process: subprocess.Popen[str]) -> Finished:
    """Wait for the end of a run, and return it."""
    output, complaints = process.communicate(timeout=DEADLINE_S)
    return Finished(process.returncode, output, complaints)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_nat_runs_out_of_ports_and_keeps_what_it_has(run: Run, tmp_path: Path, protocol: str) -> None:
    """As many attempts as ports are established, the others time out, and every check holds.

    Each client has a transfer. The recording agrees with the gauges, the servers, and the counter of refused
    packets.
    """
    finished = run("run", "port-exhaustion", *SMALL, "--set", f"protocol={protocol}", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["verdict"] == "pass"
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["outcomes"]["timeout"] == 8
    assert sum(finished.result["outcomes"].values()) == 24
    require_agreement(finished.result, tmp_path, refusals=True)
    sources = [each["source"].split(":")[0] for each in finished.result["series"]["transfers"]]
    assert sorted(sources) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@pytest.mark.parametrize("protocol", ["tcp", pytest.param("udp", marks=pytest.mark.deep)])
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
def test_refused_attempts_end_as_the_policy_decides(
    run: Run, policy: str, protocol: str, tcp: dict[str, int], udp: dict[str, int]
) -> None:
    """For every policy, the hosts and the wire saw the outcome, and every check holds."""
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
def test_the_same_policy_applies_at_every_limit(run: Run, settings: tuple[str, ...], counter: str) -> None:
    """Four clients get two connections each, whatever limits them, and the counter shows which limit it was."""
    sizes = ("clients=4", "attempts=12", "ports=16", "on_exhaustion=icmp", *settings)
    sets = [word for size in sizes for word in ("--set", size)]
    finished = run("run", "port-exhaustion", *sets, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 8
    assert finished.result["outcomes"]["icmp"] == 4
    assert finished.result["counters"][counter] > 0


@pytest.mark.parametrize(
    "allocator",
    [
        "blocks",
        "linux-like",
        pytest.param("sequential", marks=pytest.mark.deep),
        pytest.param("preserving", marks=pytest.mark.deep),
    ],
)
def test_every_allocator_fills_the_pool(run: Run, allocator: str) -> None:
    """Every port is given, and so in the second fill. `linux-like` finds every port of a pool this small."""
    finished = run(
        "run", "port-exhaustion", *SMALL, "--set", "port_set_size=4", "--allocator", allocator, "--json"
    )

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_a_nat_with_ports_to_spare_refuses_no_attempt(run: Run) -> None:
    """If there are fewer attempts than ports, all attempts are established."""
    finished = run("run", "port-exhaustion", "--set", "ports=16", "--set", "attempts=10", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 10
    assert finished.result["outcomes"]["timeout"] == 0


def test_a_nat_with_one_port_serves_one_connection(run: Run) -> None:
    """The smallest NAT works like any other."""
    finished = run("run", "port-exhaustion", "--set", "ports=1", "--set", "attempts=3", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 1


def test_two_addresses_have_twice_the_ports(run: Run) -> None:
    """Each external address has its own ports."""
    sizes = ("--set", "ports=8", "--set", "external_addresses=2", "--set", "clients=4")
    finished = run("run", "port-exhaustion", *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_the_framework_may_be_os_ken(run: Run) -> None:
    """The same controller runs on Ryu's fork."""
    finished = run("run", "port-exhaustion", *SMALL, "--json", LASTPORT_FRAMEWORK="os-ken")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["environment"]["framework"].startswith("os-ken ")


def test_two_runs_at_once_do_not_affect_each_other(start: Start) -> None:
    """Two runs use the same addresses, names and ports, each in its own sandbox."""
    runs = [
        start("run", "port-exhaustion", *SMALL, "--seed", seed, "--out", f"run-{seed}", "--json")
        for seed in ("1", "2")
    ]
    finished = [finish(process) for process in runs]

    assert [each.status for each in finished] == [0, 0], [each.output + each.complaints for each in finished]


def test_the_first_attempt_to_fail_is_the_first_beyond_the_last_port(run: Run) -> None:
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
        pytest.param(
            "Miserly",
            ["the pool is whole again", "connections of a second fill that carry data"],
            marks=pytest.mark.deep,
        ),
    ],
)
def test_a_broken_nat_is_found_out(run: Run, gateway: str, claims: list[str]) -> None:
    """Each broken gateway fails the check that is about its fault."""
    finished = run(
        "run", "port-exhaustion", *SMALL, "--gateway", f"{FILES}/broken_gateways.py:{gateway}", "--json"
    )

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["verdict"] == "fail"
    assert all(any(claim in failure for failure in finished.failed) for claim in claims), finished.failed


@pytest.mark.parametrize("protocol", ["tcp", pytest.param("icmp", marks=pytest.mark.deep)])
def test_a_leaked_frame_counts_for_the_attempt_that_sent_it(run: Run, protocol: str) -> None:
    """Each attempt counts as leaked. A ping is known by its identifier, as others are by their ports."""
    leaky = ("--set", f"protocol={protocol}", "--gateway", f"{FILES}/broken_gateways.py:Leaky")
    finished = run("run", "port-exhaustion", *SMALL, *leaky, "--json")

    assert finished.result["outcomes"]["leaked"] == 24, finished.output + finished.complaints


def test_an_allocator_and_a_policy_of_ones_own_can_be_run(run: Run) -> None:
    """A user's allocator and policy are chosen by their file and class."""
    own = FILES / "own_strategies.py"
    chosen = ("--allocator", f"{own}:HighestFirst", "--set", f"on_exhaustion={own}:Polite")
    finished = run("run", "port-exhaustion", *SMALL, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["outcomes"]["icmp"] == 8


def test_an_allocator_that_gives_a_port_of_no_pool_ends_the_run_with_a_sentence(run: Run) -> None:
    """The sentence names the allocator, the port that it gave, and the ports that there are."""
    own = f"{FILES}/own_strategies.py:Astray"
    finished = run("run", "port-exhaustion", "--allocator", own, "--set", "ports=64", "--json")

    assert finished.status == 4, finished.output + finished.complaints
    sentence = finished.result["last_words"]
    assert sentence.startswith(f"controller: allocator {own!r}: class Astray gave 10.0.0.")
    assert " the port 80, which is not one of its ports, 1024 to 1087; " in sentence
    assert "Traceback" not in sentence
