"""Every run checks that no two clients share an external endpoint, whatever its question is."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run


@pytest.mark.parametrize(
    "scenario",
    [pytest.param("client-exhaustion", marks=pytest.mark.deep), "hold-and-retry", "refusal-signals"],
)
def test_a_nat_that_gives_a_port_twice_is_found_out(run: Run, scenario: str) -> None:
    """Mutation: the allocator gives each port to two mappings, even if a client sends no more than one hello."""
    finished = run("run", scenario, "--allocator", f"{FILES}/own_strategies.py:Twice", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("no two clients ever shared")["ok"]
