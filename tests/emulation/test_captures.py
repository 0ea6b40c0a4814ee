"""The captures of `--pcap`: both sides of the NAT, readable by other programs."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader, rdpcap

from tests.emulation.conftest import DEADLINE_S, SMALL, Run, Start

SIDES = ("inside", "outside")


def syns(path: Path) -> list[Ether]:
    """Return every SYN without ACK in a capture."""
    return [frame for frame in rdpcap(str(path)) if TCP in frame and frame[TCP].flags == "S"]


def test_the_captures_show_each_connection_before_and_after_the_nat(run: Run, tmp_path: Path) -> None:
    """Each attempt is seen inside, from its client, and each established one outside, from the NAT's address."""
    finished = run("run", "port-exhaustion", *SMALL, "--pcap", "--out", "results", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    files = {side: tmp_path / finished.result["files"][side] for side in SIDES}
    assert {side: path.name for side, path in files.items()} == {
        "inside": "inside.pcapng",
        "outside": "outside.pcapng",
    }
    inside, outside = (syns(files[side]) for side in SIDES)
    assert {frame[IP].src for frame in inside} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert {frame[IP].src for frame in outside} == {"192.0.2.1"}
    passed = {frame[TCP].seq for frame in outside}
    assert passed <= {frame[TCP].seq for frame in inside}
    assert len(passed) == 16 + 16, "those established in both fills"
    for side in SIDES:
        frames = list(RawPcapNgReader(str(files[side])))
        times = [(meta.tshigh << 32) + meta.tslow for _, meta in frames]
        assert times == sorted(times)
        assert finished.result["series"]["capture"][side] == {"frames": len(frames), "dropped": 0}


def test_without_the_option_pcap_there_are_no_captures(run: Run, tmp_path: Path) -> None:
    """There is no file, and no program that captures."""
    finished = run("run", "port-exhaustion", *SMALL, "--out", "results", "--json")

    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "recording.gz",
        "report.html",
        "results.json",
    ]
    assert "capture" not in finished.result["series"]
    assert "testbed.traffic.capture" not in finished.result["series"]["peak_memory_kib"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_captures_of_a_run_that_is_broken_off_can_be_read(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    """A capture can be read up to its end, which may be within a block that was being written."""
    process = start("run", "port-exhaustion", *SMALL, "--set", "patience=60", "--pcap", "--out", "results")
    inside = tmp_path / "results" / "inside.pcapng"
    deadline = time.monotonic() + DEADLINE_S
    while not inside.exists() or inside.stat().st_size < 4096:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    os.kill(process.pid, number)
    process.communicate(timeout=DEADLINE_S)

    read = subprocess.run(["tcpdump", "-nr", str(inside)], capture_output=True, text=True, check=False)
    assert read.returncode == 0 or "truncated" in read.stderr, read.stderr
    assert len(read.stdout.splitlines()) > 10
    assert len(list(itertools.islice(RawPcapNgReader(str(inside)), 11))) == 11


def test_the_captures_last_until_the_run_is_judged(run: Run) -> None:
    """Mutation: a judge that takes a second, in which the programs that capture have nothing more to do."""
    finished = run("run", str(Path(__file__).parent / "files" / "slow_end.py"), "--pcap", "--json")

    assert finished.status == 0, finished.output + finished.complaints
