"""The log of a real lab's NAT, who had a port by it, and its run as the trace of a plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.emulation.conftest import SMALL, Run

pytestmark = pytest.mark.deep
BLOCKS = ("--set", "log=blocks", "--allocator", "blocks", "--set", "port_set_size=4")


@pytest.mark.parametrize("options", [("--set", "log=mappings"), BLOCKS], ids=["mappings", "blocks"])
def test_the_log_of_a_run_tells_who_had_a_port(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    """At the time of a line about it: the inside host of that line, and nobody else."""
    finished = run("run", "port-exhaustion", *SMALL, *options, "--json", "--out", str(tmp_path / "results"))
    log = Path(finished.result["files"]["nat_log"])
    lines = [line.split() for line in log.read_text().splitlines()]

    assert finished.status == 0, finished.output + finished.complaints
    assert {line[1] for line in lines} <= {"open", "close", "block", "unblock"}
    for at, verb, _, address, ports, subscriber in lines[:3]:
        assert verb in ("open", "block")
        asked = run("who", address, ports.partition("-")[0], at, str(log))
        assert asked.output.startswith(f"{subscriber} had {address}:")


@pytest.mark.parametrize("trace", ["recording", "inside.pcapng"])
def test_a_plan_of_a_run_s_own_trace_refuses_what_the_run_refused(run: Run, tmp_path: Path, trace: str) -> None:
    """The same core, once with real packets and once without: eight of its ports are given, and no more."""
    folder = tmp_path / "results"
    finished = run("run", "port-exhaustion", *SMALL, "--pcap", "--json", "--out", str(folder))
    keys = ("ports", "tcp_trans_close_timeout", "tcp_rst_timeout", "hold_down_timeout")
    settings = [word for key in keys for word in ("--set", f"{key}={finished.result['settings'][key]}")]
    source = folder if trace == "recording" else folder / trace
    planned = run("plan", "--trace", str(source), *settings, "--json", "--out", str(tmp_path / "plan"))

    assert planned.status == 0, planned.complaints
    told = json.loads(planned.output)
    assert told["refused"] >= finished.result["outcomes"]["timeout"] > 0
    assert told["limits"].keys() == {"dropped_port_packets"}
