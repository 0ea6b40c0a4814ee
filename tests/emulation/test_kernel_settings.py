"""The kernel's settings in a lab are those of the table, whatever the machine has set."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.emulation.conftest import Run
from topologies.network.sysctls import EVERYWHERE, OF_THE_MACHINE

ODD = """
import contextlib, json
from topologies.network.sysctls import EVERYWHERE, read_sysctls, write_sysctls

def other(value):
    odd = {"": "33000", "reno": "cubic"}
    return odd.get(value) or " ".join(str(n + 1 if n < 2 else n - 1) for n in map(int, value.split()))

for key in EVERYWHERE:
    with contextlib.suppress(OSError):
        write_sysctls({key: other(EVERYWHERE[key])})
odd = read_sysctls(EVERYWHERE)
write_sysctls(EVERYWHERE)
print(json.dumps([odd, read_sysctls(EVERYWHERE)]))
"""
"""A program that gives its namespace odd values, and then those of the table. It prints both, as they are read."""


def test_a_namespace_with_odd_values_gets_those_of_the_table() -> None:
    """Some settings change others when they are written."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", ODD], capture_output=True, text=True, check=True
    )
    odd, written = json.loads(done.stdout)

    assert len([key for key in odd if odd[key] != EVERYWHERE[key]]) > len(EVERYWHERE) * 3 // 4
    assert written == {key: EVERYWHERE[key] for key in written}


def test_the_results_list_what_is_in_force_in_each_kind_of_node(run: Run) -> None:
    """A router forwards, and is otherwise as the hosts; what only the whole machine has is listed as well."""
    size = ("--set", "ports=64", "--set", "attempts=24", "--set", "clients=3")
    finished = run("run", "port-exhaustion", *size, "--topology", "carrier", "--gateway", "netfilter", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    listed = finished.result["machine"]["sysctls"]
    missing = listed["missing"]
    assert listed["everywhere"] == {key: value for key, value in EVERYWHERE.items() if key not in missing}
    assert {"net/ipv4/ip_forward": "1"} in listed["otherwise"].values()
    assert all(set(settings) == {"net/ipv4/ip_forward"} for settings in listed["otherwise"].values())
    assert set(finished.result["machine"]["sysctls_of_the_machine"]) <= set(OF_THE_MACHINE)
