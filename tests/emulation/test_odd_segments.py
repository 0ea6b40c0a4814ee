"""Raw frames through the real gateway: strangers, unsolicited SYNs, odd queries, and exceptions to translation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

SCENARIOS = Path(__file__).parent / "files" / "odd_segments.py"


@pytest.mark.parametrize("scenario", ["Strangers", "UnsolicitedSyns", "OddQueries", "Exceptions"])
def test_what_the_wire_shows_is_what_the_standards_ask_for(run: Run, scenario: str) -> None:
    """RFC 7857 section 7, RFC 5382 REQ-2A and REQ-4, RFC 5508 REQ-1, RFC 6888 REQ-6."""
    finished = run("run", f"{SCENARIOS}:{scenario}", "--set", "clients=1", "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
def test_a_gateway_that_does_not_follow_a_new_setting_refuses_it(run: Run) -> None:
    """No setting is ever ignored."""
    for key, value in (
        ("static_mappings", "[tcp 192.0.2.1:1030 10.0.0.1:80]"),
        ("untranslated_destinations", "[203.0.113.0/24]"),
        ("evict_only_idle_for", "5"),
        ("tcp_in_syn_timeout", "9"),
        ("limit_unanswered_inbound_sessions", "9"),
    ):
        for gateway in ("netfilter", "ovs-ct"):
            finished = run("run", "hole-punching", "--gateway", gateway, "--set", f"{key}={value}")
            assert finished.status == 2
            assert f"setting {key}" in finished.complaints
            assert "is not possible with" in finished.complaints
