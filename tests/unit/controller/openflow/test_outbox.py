"""The fast path answers with the bytes that the framework's own classes would make."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.network import Network
from tests.support.paths import ROOT


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("name", "package"), [("ryu", "ryu"), ("os-ken", "os_ken")])
def test_the_fast_path_answers_with_the_bytes_of_the_framework_s_own_classes(
    name: str, package: str, seed: int, tmp_path: Path
) -> None:
    """Thousands of packet-ins, refusals and polls are compared, under every behaviour and policy."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {name}")
    file = tmp_path / "controller.yaml"
    Network(acquainted=False, external_addresses=2).configuration.save(file)

    done = subprocess.run(
        [sys.executable, "-m", "tests.support.two_controllers", str(file), str(seed)],
        cwd=ROOT,
        env={**os.environ, "LASTPORT_FRAMEWORK": name, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )

    result = json.loads(done.stdout)
    assert result["version"].startswith(name)
    compared = result["compared"]
    assert compared["packet-ins"] > 5000
    assert compared["rules"] > 1000
    assert compared["packets out"] > 1000
    assert 100 < compared["by the framework's parser"] < compared["packet-ins"] / 5


def test_requests_for_counts_do_not_pile_up_before_a_slow_switch() -> None:
    """Each bucket is asked for once at a time, and few at once; the others wait in their turn."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.polling"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )

    polled = json.loads(done.stdout)
    assert polled["first"] == [1, 2, 3, 4]
    assert polled["second"] == [1, 2, 3, 4, 5]
    assert polled["replied"] == [1, 2, 3, 4, 5, 6, 7]
    assert polled["all"] == [1, 2, 3, 4, 5, 6, 7, 1], "what was answered may be asked again"
