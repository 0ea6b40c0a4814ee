"""What programs learn from their kernel when no port is left, for every way to run out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

SCENARIO = str(Path(__file__).parent / "files" / "signals.py")


@pytest.mark.parametrize(
    "settings",
    [
        "on_exhaustion=drop",
        "on_exhaustion=icmp icmp_code=13",
        "on_exhaustion=icmp icmp_code=1",
        "on_exhaustion=reset",
        "on_exhaustion=hold fallback=drop",
        "on_exhaustion=hold fallback=icmp",
        "on_exhaustion=hold fallback=reset",
        "on_exhaustion=evict-lru",
    ],
)
def test_programs_learn_what_the_policy_tells_them(run: Run, settings: str) -> None:
    """Errno, ICMP type, code and sender, and the time until the kernel told them are those of the policy."""
    arguments = [word for setting in settings.split() for word in ("--set", setting)]
    finished = run("run", SCENARIO, "--set", "clients=1", *arguments, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.result["series"]["signals"]) == 4
