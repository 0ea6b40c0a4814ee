"""The controller that decides nothing says what ours says, or it would be no ceiling."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_its_rules_are_those_of_our_own_gateway(protocol: str) -> None:
    """Byte by byte, with the addresses and ports of a flow in their places."""
    command = [sys.executable, "-m", "tests.unit.canned", protocol]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    ceiling, ours = done.stdout.split()

    assert ceiling == ours
