"""The lab's hosts and links: a user of Mininet sees them as Mininet's own, and there can be many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.sandbox.enter import NAMESPACES
from tests.emulation.conftest import DEADLINE_S, Run
from tests.support.paths import ROOT

LAB_AND_STOCK = Path(__file__).parent / "files" / "lab_and_stock.py"


def seen(kind: str) -> Any:
    """Build a small lab of one kind, and return what a user sees of it."""
    done = subprocess.run(
        ["unshare", *NAMESPACES, sys.executable, "-P", str(LAB_AND_STOCK), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_user_of_mininet_sees_the_same_lab_as_with_its_own_hosts_and_links() -> None:
    """Commands, programs, addresses, routes and links are the same. Only the hosts' shells start later."""
    ours, stock = seen("ours"), seen("stock")

    assert ours["user"] == stock["user"]
    assert ours["user"]["ping again"] is True
    assert stock["shells"] == [["alice", "bob", "mirror", "server"]] * 2
    assert ours["shells"] == [[], ["alice", "bob"]]


def test_a_lab_of_256_clients_works_like_any(run: Run) -> None:
    """Each client gets the one port of its quota."""
    finished = run("run", "port-exhaustion", "--set", "clients=256", "--set", "port_quota=1", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 256
    assert finished.result["counters"]["total_active_subscribers"] == 256


@pytest.mark.parametrize("gateway", ["openflow", "netfilter"])
def test_a_host_with_many_addresses_is_as_many_subscribers(run: Run, gateway: str) -> None:
    """Each address has its quota: 4 hosts with 30 addresses each get one connection for each address."""
    sizes = ("--set", "clients=4", "--set", "addresses_per_client=30", "--set", "port_quota=1")
    finished = run("run", "port-exhaustion", "--gateway", gateway, *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 4 * 30


def test_hosts_with_many_addresses_connect_through_two_nats(run: Run) -> None:
    """The homes translate the addresses, so the carrier sees two subscribers. All packets find their way back."""
    sizes = ("--set", "clients=4", "--set", "addresses_per_client=8", "--set", "ports=16")
    finished = run("run", "port-exhaustion", "--topology", "carrier", *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16
