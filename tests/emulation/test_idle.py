"""The scenario idle on the real thing: how long a flow may be silent."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

LIARS = FILES / "lying_gateways.py"


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_a_word_arrives_before_the_idle_timer_and_none_after_what_is_declared(run: Run, gateway: str) -> None:
    """Nobody is told of the end: a client gets nothing over TCP, and a new mapping over UDP."""
    finished = run("run", "idle", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    lost = [
        (protocol, reply) for protocol, _, arrived, reply in finished.result["series"]["silences"] if not arrived
    ]
    assert {reply for protocol, reply in lost if protocol == "tcp"} == {"nothing"}
    assert ("udp", "an answer, at another external endpoint") in lost


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "red"),
    [
        ("Impatient", "UDP: seconds of silence after which a word is lost, at least"),
        ("Nostalgic", "TCP: seconds of silence after which a word arrives, at most"),
    ],
)
def test_a_nat_that_forgets_too_early_or_too_late_is_found_out(run: Run, gateway: str, red: str) -> None:
    """Mutation: it works by another timer than it declares."""
    finished = run("run", "idle", "--gateway", f"{LIARS}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert red in finished.failed
