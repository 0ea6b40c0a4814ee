"""Real labs with more than one gateway or with a next hop, and every topology under Mininet's own command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.registry import TOPOLOGIES
from testbed.sandbox.enter import NAMESPACES
from tests.emulation.conftest import DEADLINE_S, Run
from tests.support.paths import ROOT

PLAIN_MININET = Path(__file__).parent / "files" / "plain_mininet.py"
TWO_NATS = Path(__file__).parent / "files" / "two_nats.py"


@pytest.mark.parametrize("topology", ["carrier", "multi-address"])
def test_a_pool_behind_a_next_hop_or_in_front_of_other_nats_runs_out_like_any(run: Run, topology: str) -> None:
    """The carrier's ports run out first, since each home has as many for half of the clients."""
    sizes = ("--set", "ports=16", "--set", "clients=4", "--set", "external_addresses=1")
    finished = run("run", "port-exhaustion", "--topology", topology, *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_a_pool_in_front_of_access_switches_runs_out_like_any(run: Run) -> None:
    """There are two clients behind each of four switches."""
    sizes = ("--set", "ports=16", "--set", "clients=8")
    finished = run("run", "port-exhaustion", "--topology", "campus", *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


@pytest.mark.parametrize(("scenario", "topology"), [("CarrierRefuses", "carrier"), ("PeersMeet", "two-homes")])
def test_packets_find_their_way_through_two_nats(run: Run, scenario: str, topology: str) -> None:
    """ICMP errors and the datagrams of two peers arrive. The questions are in the scenarios' file."""
    finished = run("run", f"{TWO_NATS}:{scenario}", "--topology", topology, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_mininet_s_own_command_starts_the_topology_and_leaves_nothing(name: str) -> None:
    """Our gateway has its default settings. When Mininet stops, bridges, controllers and files are gone."""
    topology = "campus,clients=8" if name == "campus" else name
    custom = ["--custom", f"{ROOT}/topologies/{name.replace('-', '_')}.py", "--topo", topology, "--wait"]
    done = subprocess.run(
        ["unshare", *NAMESPACES, sys.executable, "-P", str(PLAIN_MININET), *custom],
        input="bob ping -c 1 -W 5 server\ndump\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    left = json.loads(done.stdout)

    output = left.pop("output")
    assert " 1 received" in output
    assert "<LabHost alice: " in output
    assert " pid=None" in output, "alice's shell has not been used"
    assert left == {"status": 0, "bridges": [], "processes": [], "interfaces": ["lo"], "folders": []}
