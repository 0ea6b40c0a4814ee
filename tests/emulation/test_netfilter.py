"""The gateway netfilter on this machine's kernel: what it declares is true, and a fault is found out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.emulation.conftest import FILES, SMALL, Run
from tests.support.recordings import require_agreement

PROBER = str(Path(__file__).parent / "files" / "nat_behaviour.py")
BROKEN = f"{Path(__file__).parent}/files/broken_linux.py"
NETFILTER = ("run", "port-exhaustion", "--gateway", "netfilter", "--json")


def test_linux_runs_out_of_ports_and_keeps_what_it_has(run: Run, tmp_path: Path) -> None:
    """As many attempts as ports are established, to the last port, and the others get no answer.

    The recording agrees with what the servers saw.
    """
    finished = run(*NETFILTER, "--set", "ports=64")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 64
    assert finished.result["outcomes"]["timeout"] == 16
    assert finished.result["counters"]["dropped_port_packets"] >= 16
    require_agreement(finished.result, tmp_path)
    assert set(finished.result["environment"]) >= {"nftables", "conntrack", "nf_conntrack_max"}


@pytest.mark.parametrize(
    ("limit", "established", "counter"),
    [
        ("port_quota_tcp=2", 6, "dropped_port_limit_packets"),
        ("limit_sessions=7", 7, "dropped_state_limit_packets"),
    ],
    ids=["quota", "sessions"],
)
def test_a_limit_is_reached_before_the_ports(run: Run, limit: str, established: int, counter: str) -> None:
    """The rules count connections, and the counter of the limit shows that it was reached."""
    finished = run(*NETFILTER, *SMALL, "--set", limit)

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == established
    assert finished.result["counters"][counter] > 0
    assert finished.result["counters"]["dropped_port_packets"] == 0


@pytest.mark.parametrize("allocator", ["preserving", "random"])
def test_a_prober_finds_the_behaviour_that_is_declared(run: Run, allocator: str) -> None:
    """By an independent prober (RFC 5780), the mapping depends on the destination only if ports are random."""
    choices = ("--gateway", "netfilter", "--allocator", allocator, "--set", "clients=1")
    finished = run("run", PROBER, *choices, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    expected = {"preserving": "Endpoint Independent", "random": "Address and Port Dependent"}[allocator]
    assert expected in finished.check("the mapping that is declared")["observed"]


@pytest.mark.deep
def test_without_the_guard_what_conntrack_calls_invalid_leaks(run: Run) -> None:
    """Packets of connections that are over leave with their inside addresses, and the check of leaks is red."""
    finished = run("run", "release", "--gateway", "netfilter", "--set", "guard=false", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("no packet left untranslated")["ok"]


@pytest.mark.deep
@pytest.mark.parametrize("fully_random", ["false", "true"])
def test_masquerade_does_what_snat_does(run: Run, fully_random: str) -> None:
    """As in most homes: connections get the address of the outside interface, which edge has for it."""
    chosen = ("--topology", "edge", "--allocator", "random", "--set", f"fully_random={fully_random}")
    finished = run(*NETFILTER, *SMALL, *chosen, "--set", "masquerade=true")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


@pytest.mark.deep
@pytest.mark.parametrize("scenario", ["release", "protocols", "port-overlap"])
def test_masquerade_keeps_what_netfilter_declares(run: Run, scenario: str) -> None:
    """It is the same search for a port, with another way to the address."""
    chosen = ("--gateway", "netfilter", "--topology", "edge", "--set", "masquerade=true")
    finished = run("run", scenario, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints


def test_a_machine_without_nft_cannot_run_the_gateway(run: Run, tmp_path: Path) -> None:
    """A sentence refuses the run before anything starts, and names the package to install."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        for program in Path(name).iterdir():
            if program.name != "nft" and not os.path.lexists(folder / program.name):
                (folder / program.name).symlink_to(program)
    finished = run(*NETFILTER, *SMALL, PATH=str(folder))

    assert finished.status == 3, finished.output + finished.complaints
    assert "apt-get install nftables" in finished.complaints


@pytest.mark.parametrize(
    ("gateway", "sizes", "claim"),
    [
        ("Bare", SMALL, "no packet left untranslated"),
        ("Telling", SMALL, "all the other attempts end by timeout"),
        # One chance for each port: without patience no SYN is sent again.
        (
            "Boasting",
            ("--set", "ports=4096", "--set", "attempts=4096", "--set", "patience=0.5"),
            "exactly 4096 attempts are established",
        ),
    ],
)
def test_a_linux_that_changes_its_mind_is_found_out(
    run: Run, gateway: str, sizes: tuple[str, ...], claim: str
) -> None:
    """Checks try what is declared (ports_exhausted, finds_every_port_of), and that no packet leaks."""
    finished = run("run", "port-exhaustion", "--json", "--gateway", f"{BROKEN}:{gateway}", *sizes)

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check(claim)["ok"]


def test_the_kernel_reports_for_a_recording_no_more_than_it_needs(run: Run) -> None:
    """A message of each step of a connection would take more of the router's time."""
    finished = run("run", str(FILES / "reported.py"), "--gateway", "netfilter", "--json")

    assert finished.status == 0, finished.output + finished.complaints
