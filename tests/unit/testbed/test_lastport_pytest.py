"""The file that a project copies: what it does where there is no lastport."""

from __future__ import annotations

import pytest

import lastport_pytest
from lastport_pytest import LabError, nat

MISSING = "/no/such/lastport"


def test_a_command_that_is_not_there_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable LASTPORT is the way out."""
    monkeypatch.setenv("LASTPORT", MISSING)
    with pytest.raises(LabError, match=f"there is no {MISSING}; take LASTPORT=/path/to/lastport"):
        nat(mapping="edm")


def test_the_fixture_skips_a_test_without_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without lastport runs the project's other tests."""
    monkeypatch.setenv("LASTPORT", MISSING)
    with pytest.raises(pytest.skip.Exception, match="no lab: there is no"):
        lastport_pytest._made(mapping="edm")
