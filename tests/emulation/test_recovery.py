"""The scenario recovery on the real thing: how long the others wait for the ports of a host that has stopped."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

LIARS = FILES / "lying_gateways.py"


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_the_others_get_through_when_the_idle_timer_is_over(run: Run, gateway: str) -> None:
    """All of them, and none before."""
    finished = run("run", "recovery", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.result["series"]["recovered"]) == 3


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "red"),
    [
        ("Impatient", "seconds until the first of the others gets through, at least"),
        ("Unforgiving", "other hosts that get through"),
    ],
)
def test_a_nat_with_another_timer_is_found_out(run: Run, gateway: str, red: str) -> None:
    """Mutation: it gives the ports too early, or not at all."""
    finished = run("run", "recovery", "--gateway", f"{LIARS}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert red in finished.failed
