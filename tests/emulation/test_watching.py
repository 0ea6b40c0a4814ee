"""A run in a terminal, on each gateway: what a person sees of it, and what is left after Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.registry import GATEWAYS
from tests.emulation.conftest import COMMAND, SMALL, Run
from tests.support.terminal import Terminal


@pytest.fixture(params=GATEWAYS)
def terminal(
    request: pytest.FixtureRequest, tmp_path: Path, temporary: Path, before: dict[str, Any]
) -> Iterator[Terminal]:
    """Return a terminal in which a small NAT gets full."""
    patient = (*SMALL, "--set", "patience=60")
    command = [
        *COMMAND,
        "run",
        "port-exhaustion",
        "--gateway",
        request.param,
        *patient,
        "--out",
        str(tmp_path / "out"),
    ]
    opened = Terminal(command, TMPDIR=str(temporary))
    yield opened
    opened.close()


def test_a_terminal_shows_a_nat_that_gets_full_and_ctrl_c_leaves_it_as_it_was(terminal: Terminal) -> None:
    """Each gateway tells its ports in use, and that it refuses. Without an answer clients wait, so it stays so."""
    terminal.shows("█ 16 in use")
    terminal.shows("packets were refused: no port was free.")
    terminal.shows("192.0.2.1 has no free port (tcp).")
    terminal.type("\x03")

    assert terminal.ended() == 4
    assert "The run broke: interrupted by SIGINT" in terminal.screen.text
    assert terminal.screen.has_cursor
    assert terminal.modes_now() == terminal.modes
    assert terminal.screen.unknown == set()


def test_a_comparison_without_a_terminal_prints_a_line_for_each_phase_and_verdict(run: Run) -> None:
    """Standard error has them, and standard output has none of them."""
    finished = run("compare", "port-exhaustion", "--gateways", "netfilter", *SMALL)

    lines = finished.complaints.splitlines()
    assert lines[0] == "1 of 1  port-exhaustion on netfilter (ports=16, attempts=24, clients=3)"
    assert [line[10:] for line in lines if line.endswith((" build", " fill", " fill again"))] == [
        "build",
        "fill",
        "fill again",
    ]
    assert lines[-1].endswith(" s  verdict: pass")
    assert "\x1b" not in finished.complaints + finished.output
    assert "verdict: pass" not in finished.output
