"""The controller that decides nothing says what ours says, or it would be no ceiling."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_the_rules_of_the_ceiling_are_those_of_our_own_gateway(protocol: str) -> None:
    """Both controllers send the same bytes, with a flow's addresses and ports in their places."""
    command = [sys.executable, "-m", "tests.support.canned_rules", protocol]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    ceiling, ours = done.stdout.split()

    assert ceiling == ours
