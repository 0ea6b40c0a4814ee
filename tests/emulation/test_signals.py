"""What programs learn from their kernel when no port is left, for every way to run out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

LIARS = Path(__file__).parent / "files" / "lying_gateways.py"


@pytest.mark.parametrize(
    "settings",
    [
        "on_exhaustion=drop",
        "on_exhaustion=icmp icmp_code=13",
        pytest.param("on_exhaustion=icmp icmp_code=1", marks=pytest.mark.deep),
        "on_exhaustion=reset",
        "on_exhaustion=hold fallback=drop",
        pytest.param("on_exhaustion=hold fallback=icmp", marks=pytest.mark.deep),
        pytest.param("on_exhaustion=hold fallback=reset", marks=pytest.mark.deep),
        "on_exhaustion=evict-lru",
    ],
)
def test_programs_learn_what_the_policy_tells_them(run: Run, settings: str) -> None:
    """Errno, ICMP type, code and sender, and the time until the kernel told them are those of the policy."""
    arguments = [word for setting in settings.split() for word in ("--set", setting)]
    finished = run("run", "refusal-signals", "--set", "clients=2", *arguments, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.result["series"]["signals"]) == 6
    assert sum(finished.result["outcomes"].values()) == 6


@pytest.mark.parametrize(
    ("gateway", "policy", "red"),
    [
        ("OtherCode", "icmp", "TCP connect with IP_RECVERR: what the kernel returns"),
        ("Mute", "icmp", "ping: what the kernel returns"),
        ("Talkative", "drop", "TCP connect: what the kernel returns"),
        ("Slow", "icmp", "UDP send: seconds until the kernel returns it"),
    ],
)
def test_a_gateway_that_tells_something_else_is_noticed(run: Run, gateway: str, policy: str, red: str) -> None:
    """Another ICMP code, silence, a reset, or a late answer turns the check of it red."""
    chosen = ("--gateway", f"{LIARS}:{gateway}", "--set", f"on_exhaustion={policy}", "--set", "clients=2")
    finished = run("run", "refusal-signals", *chosen, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    failed = [check["claim"] for check in finished.result["checks"] if not check["ok"]]
    assert any(claim.startswith(red) for claim in failed), failed
