"""slirp4netns as the gateway, in real labs, where it is installed: nothing installs it."""

from __future__ import annotations

import shutil

import pytest

from tests.emulation.conftest import FILES, SMALL, Run

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(shutil.which("slirp4netns") is None, reason="apt-get install slirp4netns"),
]


def test_it_runs_out_of_its_kernel_s_ports_and_says_so_by_icmp(run: Run) -> None:
    """Each connection passes a TCP of its own, so single packets are not matched."""
    finished = run("run", "port-exhaustion", "--gateway", "slirp", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"] == {
        **finished.result["outcomes"],
        "established": 16,
        "icmp": 8,
        "leaked": 0,
    }
    assert "single-packets" in finished.result["series"]["not_looked_at"]
    assert finished.result["environment"]["slirp4netns"]


def test_a_relay_that_says_that_it_translates_is_found_out(run: Run) -> None:
    """Mutation: it does not declare that it ends connections, and begins others in their place."""
    relay = f"{FILES / 'secret_relay.py'}:SecretRelay"
    finished = run("run", "port-exhaustion", "--gateway", relay, *SMALL, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("every SYN that arrived at a server was sent to it by a host")["ok"]


@pytest.mark.parametrize("scenario", ["port-overlap", "client-exhaustion", "loss-curve", "fairness"])
def test_it_does_what_it_declares(run: Run, scenario: str) -> None:
    """By its manual and its source code."""
    finished = run("run", scenario, "--gateway", "slirp", "--json")

    assert finished.status == 0, finished.output + finished.complaints
