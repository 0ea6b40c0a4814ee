"""What the tests of benches share: the race among the benches."""

from __future__ import annotations

import pytest

from testbed.registry import BENCHES
from tests.support.race import Race


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the race among the benches."""
    monkeypatch.setitem(BENCHES, "race", f"{Race.__module__}:Race")
