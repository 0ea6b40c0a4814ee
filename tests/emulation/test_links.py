"""Links under conditions, in a real lab: what is set is what is measured, and it is never the NAT's fault."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.conftest import FILES, SMALL, Run
from topologies.network import qdiscs
from topologies.network.conditions import Conditions

qdiscs.load()  # as the command does, before it is asked what the kernel lacks
BROKEN_LINUX = FILES / "broken_linux.py"
SLOW = ("--set", "inside_delay=20ms", "--set", "outside_delay=30ms", "--set", "outside_loss=2%")
FORWARDER_LATE_S, KERNEL_LATE_S = 0.005, 0.002
"""What half of the probes may take longer than was set, on a machine of whatever speed."""


def sets(*words: str) -> tuple[str, ...]:
    """Return each as a setting of the command."""
    return tuple(word for each in words for word in ("--set", each))


def require_delay(side: dict[str, Any], seconds: float, *, late: float) -> None:
    """Require that probes took this time both ways, and that hardly any was lost where none should be."""
    for way in ("out", "in"):
        assert seconds <= side["probes"][way]["shortest_s"]
        assert side["probes"][way]["delay_s"] <= seconds + late


def test_delay_and_loss_are_measured_as_they_were_set(run: Run, tmp_path: Path) -> None:
    """By probes before the run, on both sides, both ways; and two hosts behind two NATs still meet.

    ifb is loaded before, and with no device.
    """
    modprobe = tmp_path / "modprobe"
    modprobe.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/loaded\n")
    modprobe.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    finished = run("run", "hole-punching", *SLOW, "--json", PATH=path)

    assert finished.status == 0, finished.output + finished.complaints
    assert Path("/sys/module/ifb").exists() or "ifb numifbs=0" in (tmp_path / "loaded").read_text()
    links = finished.result["series"]["links"]
    require_delay(links["inside"], 0.02, late=FORWARDER_LATE_S)
    require_delay(links["outside"], 0.03, late=FORWARDER_LATE_S)
    assert links["inside"]["set"]["delay"] == 0.02
    for way in ("out", "in"):
        assert links["inside"]["probes"][way]["lost"] == 0
        assert 0 < links["outside"]["probes"][way]["lost"] < 30  # of 400, 8 on average


ECHOED = """
import contextlib, socket, time
sent, took = {}, []
talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
talk.settimeout(2)
talk.connect(("server", 7))
talk.send(b"first")
talk.recv(100)
for number in range(50):
    sent[number] = time.monotonic()
    talk.send(str(number).encode())
with contextlib.suppress(TimeoutError):
    while True:
        number = int(talk.recv(100))
        took.append(time.monotonic() - sent[number])
print(len(took), min(took))
"""


@pytest.mark.deep
def test_a_connected_socket_gets_each_datagram_once_and_late(run: Run) -> None:
    """The kernel takes nothing at the end of the cable, whatever a socket remembers of earlier datagrams."""
    finished = run("exec", *sets("clients=1", "inside_delay=20ms"), "--", "python3", "-c", ECHOED)

    count, shortest = finished.output.split()
    assert int(count) == 50
    assert float(shortest) >= 0.04


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_an_honest_nat_passes_on_slow_links_that_lose_frames(run: Run, gateway: str) -> None:
    """The run counts what the links lost, and hosts send it again."""
    finished = run("run", "port-exhaustion", *SMALL, *SLOW, "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    links = finished.result["series"]["links"]
    assert links["inside"]["run"]["out"]["lost"] == 0
    for way in ("out", "in"):
        assert 0 < links["outside"]["run"][way]["lost"] < links["outside"]["run"][way]["frames"] * 0.1


@pytest.mark.deep
def test_a_nat_that_loses_frames_itself_fails_all_the_same(run: Run) -> None:
    """The witnesses are between the links and the NAT, so its losses are known from theirs."""
    finished = run("run", "port-exhaustion", *SMALL, *SLOW, "--gateway", f"{BROKEN_LINUX}:SmallOnly", "--json")

    assert finished.status == 1
    assert "no packet was lost on a mapping that exists" in finished.failed


@pytest.mark.deep
@pytest.mark.skipif(
    bool(qdiscs.lacking(Conditions(rate=1e6))), reason=f"this kernel: {qdiscs.lacking(Conditions(rate=1e6))}"
)
def test_a_rate_alone_is_the_kernel_s_own(run: Run) -> None:
    """It is tbf's, both ways, and every transfer of the run still arrives."""
    finished = run("run", "protocols", *sets("ports=8", "inside_rate=2mbit"), "--json")

    assert finished.status == 0, finished.output + finished.complaints
    inside = finished.result["series"]["links"]["inside"]
    assert inside["by"] == "tbf"
    for way in ("out", "in"):
        assert inside["probes"][way]["rate_bit_s"] == pytest.approx(2e6, rel=0.1)


@pytest.mark.skipif(
    bool(qdiscs.lacking(Conditions(delay=0.1))), reason=f"this kernel: {qdiscs.lacking(Conditions(delay=0.1))}"
)
def test_netem_does_what_the_forwarder_does(run: Run) -> None:
    """The same figures, by the other way."""
    finished = run("run", "port-exhaustion", *SMALL, *SLOW, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    links = finished.result["series"]["links"]
    assert (links["inside"]["by"], links["outside"]["by"]) == ("netem", "netem")
    require_delay(links["inside"], 0.02, late=KERNEL_LATE_S)
    require_delay(links["outside"], 0.03, late=KERNEL_LATE_S)
    assert 0 < links["outside"]["probes"]["out"]["lost"] < 30
