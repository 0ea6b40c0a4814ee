"""The tools that people have at hand, in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run


@pytest.mark.parametrize("gateway", ["openflow", "netfilter"])
def test_everyday_tools_show_what_behind_a_router_they_would(run: Run, gateway: str) -> None:
    """Linux is the second opinion."""
    size = ("--set", "clients=2", "--set", "outside_mtu=1200")
    finished = run("run", str(FILES / "everyday_tools.py"), *size, "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.own_checks) == 8
