"""The connection to a switch that reads late, hangs up or comes back."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from benchmarks.fake_switch import FakeSwitch, connected, packet_ins
from controller.nat.model import Protocol
from tests.support.paths import ROOT


def test_a_controller_reads_on_while_its_switch_does_not() -> None:
    """Both would otherwise wait for good: 20 MB is more than sockets hold. No answer is lost."""
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
    """The switch hangs up and connects anew, with empty tables."""
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
        [sys.executable, "-m", "tests.support.slow_switch"],
        cwd=ROOT,
        env={**os.environ, "LASTPORT_FRAMEWORK": name, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )

    assert json.loads(done.stdout) == {"waited": True, "alive": True, "received": True}
