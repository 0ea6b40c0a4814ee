"""The kind of NAT that an independent prober finds (RFC 5780), for every pair of mapping and filtering."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

SCENARIO = str(Path(__file__).parent / "files" / "nat_behaviour.py")


@pytest.mark.parametrize(
    ("mapping", "filtering"),
    [
        ("eim", "eif"),
        ("eim", "edf"),
        ("adm", "adf"),
        ("edm", "edf"),
        *(
            pytest.param(mapping, filtering, marks=pytest.mark.deep)
            for mapping, filtering in (
                ("eim", "adf"),
                ("adm", "eif"),
                ("adm", "edf"),
                ("edm", "eif"),
                ("edm", "adf"),
            )
        ),
    ],
)
def test_a_prober_finds_the_behaviour_that_was_set(run: Run, mapping: str, filtering: str) -> None:
    """Mapping and filtering are as they are set, each whatever the other is (RFC 4787 REQ-1, REQ-8)."""
    settings = ("--set", f"mapping_type={mapping}", "--set", f"filtering_type={filtering}")
    finished = run("run", SCENARIO, "--set", "clients=1", *settings, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.own_checks) == 3
