"""`lastport compare --pairs` in real labs, several at once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from scenarios.shared.models.meeting import outcomes
from tests.emulation.conftest import DEADLINE_S, Run, Start
from tests.support.processes import awaited

WORDS = {(True, True): "meet", (False, False): "apart"}
QUICK = ("--set", "patience=0.5")


def foreseen(cell: dict[str, Any]) -> list[str]:
    """Return what the model foresees of a pair, by what it is called."""
    alice, bob = (tuple(each.split("/")) for each in cell["behaviours"])
    return sorted(WORDS[each] for each in outcomes(alice, bob))


def test_linux_meets_itself_only_where_both_sides_keep_ports(run: Run, tmp_path: Path) -> None:
    """Four pairs in labs at once. Each has its own folder, and the page leads there."""
    finished = run(
        "compare", "hole-punching", "--pairs", "--gateways", "netfilter", *QUICK, "--out", "o", "--json"
    )

    assert finished.status == 0, finished.output + finished.complaints
    cells = finished.result["pairs"]["cells"]
    assert [(cell["observed"], cell["foreseen"]) for cell in cells] == [
        ("meet", ["meet"]),
        *[("apart", ["apart"])] * 3,
    ]
    for cell in cells:
        folder = "/".join(each.replace("/", "-") for each in cell["behaviours"])
        written = json.loads((tmp_path / "o" / folder / "results.json").read_text())
        assert written == finished.result["runs"][cell["run"]]
        assert f'href="{folder}/report.html"' in (tmp_path / "o" / "report.html").read_text()


@pytest.mark.deep
@pytest.mark.parametrize(("gateways", "pairs"), [("openflow", 81), ("openflow,netfilter", 18)])
def test_every_pair_is_as_foreseen(run: Run, gateways: str, pairs: int) -> None:
    """All of RFC 4787's behaviours on both sides, and against what Linux can be."""
    finished = run("compare", "hole-punching", "--pairs", "--gateways", gateways, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    cells = finished.result["pairs"]["cells"]
    assert len(cells) == pairs
    for cell in cells:
        assert cell["foreseen"] == foreseen(cell)
        assert cell["observed"] in cell["foreseen"]


@pytest.mark.deep
def test_an_interrupted_matrix_keeps_what_was_begun(start: Start, tmp_path: Path, before: dict[str, Any]) -> None:
    """The runs under way end with what they know, and nothing of them is left. No other is begun."""
    process = start("compare", "hole-punching", "--pairs", "--set", "patience=60", "--out", "o", "--json")
    awaited(lambda: len([*(tmp_path / "o").glob("*/*/results.json")]) > 0, "the first pair to be done")

    os.kill(process.pid, signal.SIGINT)
    output, complaints = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 4, complaints
    told = json.loads(output)
    verdicts = [cell["verdict"] for cell in told["pairs"]["cells"]]
    assert 1 < len(verdicts) < 81
    assert set(verdicts) == {"pass", "error"}
    assert json.loads((tmp_path / "o" / "compare.json").read_text()) == told
