"""The fast path says what the framework's classes would say, and reads on whatever its switch does."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fake_switch import FakeSwitch, connected, packet_ins
from controller.nat.model import Protocol
from tests.unit.network import Network

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("name", "package"), [("ryu", "ryu"), ("os-ken", "os_ken")])
def test_it_answers_with_the_bytes_of_the_framework_s_own_classes(
    name: str, package: str, seed: int, tmp_path: Path
) -> None:
    """For thousands of packet-ins, refusals and polls, under every mapping and filtering behaviour and policy."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {name}")
    file = tmp_path / "controller.yaml"
    Network(acquainted=False, external_addresses=2).configuration.save(file)

    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.identical", str(file), str(seed)],
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


def test_a_controller_reads_on_while_its_switch_does_not() -> None:
    """Else both wait for good: 20 MB is more than what sockets hold. Nothing of the answers is lost."""
    flows = 15_000
    with connected("fast path", {"ports": flows}) as (switch, _, _):
        rules_before = switch.answers["addition"]
        switch.send_blindly(packet_ins(flows, Protocol.UDP, data_bytes=1400))
        switch.exchange([], lambda: switch.answers["packet-out"] == flows)

    assert switch.answers["addition"] - rules_before == 2 * flows


@pytest.mark.parametrize(("name", "package"), [("ryu", "ryu"), ("os-ken", "os_ken")])
def test_a_switch_that_comes_back_gets_the_rules_of_all_flows(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs up and connects anew, with empty tables."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {name}")
    monkeypatch.setenv("LASTPORT_FRAMEWORK", name)
    flows = 500
    with connected("fast path", {"ports": flows}) as (switch, _, framework):
        base_rules = switch.answers["addition"]
        switch.exchange(packet_ins(flows, Protocol.UDP), lambda: switch.answers["packet-out"] == flows)
        switch.close()
        again = FakeSwitch(switch.address)

    assert framework.startswith(name)
    assert again.answers["addition"] == base_rules + 2 * flows


@pytest.mark.parametrize(("name", "package"), [("ryu", "ryu"), ("os-ken", "os_ken")])
def test_what_a_switch_does_not_read_for_long_is_kept(name: str, package: str) -> None:
    """The framework gives its sockets a timeout; a switch that is slow to read is none that is gone."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {name}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.slow_switch"],
        cwd=ROOT,
        env={**os.environ, "LASTPORT_FRAMEWORK": name, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )

    assert json.loads(done.stdout) == {"waited": True, "alive": True, "received": True}
