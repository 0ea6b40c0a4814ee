"""Kills and stops at random moments: a command that loses any of its processes reports which, at once, and ends.

By default there are a few. `pytest tests/emulation/test_kills.py --kills 200 -rP` tries 200, from the seed
`--kills-from` on, and prints a line for each: what was done to whom and when, what was told, and how soon. On a
busy machine a run takes longer, and so `--kills-within` should be larger.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.recording import Recording
from testbed.recording.format import FILE
from testbed.registry import GATEWAYS
from tests.emulation.conftest import DEADLINE_S, SMALL, Finished, Start
from tests.support.processes import awaited, descendants, gone, processes

WINDOW = ("--repetitions", "1", "--set", "ports=512", "--set", "window=40", "--set", "fills=[0.75]")
NAMES = {
    r"ovsdb-server /": r"ovsdb-server",
    r"ovs-vswitchd unix:": r"ovs-vswitchd",
    r"-m (controller|benchmarks)\b": r".*'s controller",
    r"-m testbed\.traffic\.(\w+)": r"(tcp|udp|icmp)-(client|server|generator).*",
    r"mininet:": r"the shell of .*",
}
"""How a report names a process, by its command line."""
ENDED = r" (was killed|was killed by SIG\w+|ended with status \d+|was stopped by a signal, and did not go on)"


@dataclass(frozen=True)
class Death:
    """What a seed decides: the command, the moment, the signal, and a number that picks the process."""

    command: tuple[str, ...]
    at_s: float
    signal: signal.Signals
    pick: float

    @classmethod
    def of(cls, seed: int, within: float) -> Death:
        """Return the death of a seed, `within` seconds of the command's start."""
        chance = random.Random(seed)
        commands: list[tuple[str, ...]] = [
            *(("run", "port-exhaustion", "--gateway", gateway, *SMALL) for gateway in GATEWAYS),
            *(("run", "port-exhaustion", "--gateway", gateway, *SMALL) for gateway in GATEWAYS),
            ("compare", "port-exhaustion", "--gateways", ",".join(GATEWAYS), *SMALL),
            ("bench", "setup", *WINDOW, "--set", "subjects=[openflow]", "--set", "protocols=[tcp]"),
        ]
        return cls(
            (*chance.choice(commands), "--out", "out", "--json"),
            chance.uniform(0.0, within),
            chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]),
            chance.random(),
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each seed."""
    first, count = (metafunc.config.getoption(name) for name in ("--kills-from", "--kills"))
    metafunc.parametrize("seed", range(first, first + count))


def members(launcher: int) -> dict[int, str]:
    """Return the processes that a command lives by, each with the name that a report of its end has."""
    family = descendants(launcher)
    named = {launcher: "the launcher"}
    parents = {pid: parent for pid, (parent, _) in processes().items()}
    for name in ("the sandbox's first process", "the sandbox's first process", "the scenario's process"):
        *_, above = named
        below = [pid for pid in family if parents.get(pid) == above and "testbed.sandbox.init" in family[pid]]
        if not below:
            break
        named[min(below)] = name
    for pid, command in family.items():
        names = [name for pattern, name in NAMES.items() if re.search(pattern, command)]
        if names and pid not in named:
            named[pid] = names[0]
    return named


def struck(death: Death, process: subprocess.Popen[str]) -> tuple[str, dict[int, str]]:
    """Send the signal to a process of the sandbox, or to the launcher; return its name, and the whole family."""
    awaited(lambda: len(members(process.pid)) > 3 or process.poll() is not None, "the sandbox")
    found = members(process.pid) if process.poll() is None else {}
    if death.signal == signal.SIGSTOP:  # the others go on without these
        idle = ("the launcher", "the sandbox's first process")
        found = {pid: name for pid, name in found.items() if name not in idle}
    if not found:
        return "nobody", {}
    family = descendants(process.pid)
    victims = [min(pid for pid in found if found[pid] == name) for name in sorted({*found.values()})]
    pid = victims[int(death.pick * len(victims))]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, death.signal)
    return found[pid], family


def told_at(folder: Path) -> float:
    """Return the time at which the first result with an error was written, or now if there is none."""
    files = [path for path in folder.rglob("*.json") if path.name != "compare.json"]
    times = [path.stat().st_mtime for path in files if '"error": "' in path.read_text()]
    return min(times, default=time.time())


def reasons(finished: Finished) -> list[str]:
    """Return the reasons in what `--json` printed: of one run, of those of a comparison, or of a bench."""
    told = finished.result
    return [each["error"] for each in [told, *told.get("runs", [])] if each.get("error")]


def test_whoever_dies_is_named_and_nothing_is_left(
    start: Start, before: dict[str, Any], tmp_path: Path, pytestconfig: pytest.Config, seed: int
) -> None:
    """A run that was over by then, and processes that do not heed the signal, are no reason for an error.

    What was recorded by then can be read.
    """
    death = Death.of(seed, pytestconfig.getoption("--kills-within"))
    process = start(*death.command)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(death.at_s)
    victim, family = struck(death, process)
    at = time.time()
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())
    took = told_at(tmp_path / "out") - at

    told = reasons(finished) if finished.output else []
    row = {"seed": seed, "command": death.command[:4], "at_s": round(death.at_s, 1), "signal": death.signal.name}
    print(json.dumps({**row, "victim": victim, "status": finished.status, "told": told, "s": round(took, 2)}))
    assert "Traceback" not in finished.complaints
    if victim == "the launcher":
        expected = {signal.SIGKILL: (-signal.SIGKILL, []), signal.SIGTERM: (4, ["interrupted by SIGTERM"])}
        assert (finished.status, told) in (expected[death.signal], (0, []))
    elif finished.status:
        assert finished.status == 4, finished.complaints
        assert len(told) == 1
        assert re.search(victim + ENDED, told[0]), (victim, told)
    awaited(lambda: gone(family), "its processes to end")
    for path in (tmp_path / "out").rglob(FILE):
        assert not path.stat().st_size or Recording.open(path).header["scenario"] == "port-exhaustion"
