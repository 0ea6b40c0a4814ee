"""`lastport compare` in real labs: our gateway beside a gateway with a fault."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.emulation.conftest import DEADLINE_S, SMALL, Run, Start
from tests.support.reports import Page

FILES = Path(__file__).parent / "files"
BOASTFUL = f"{FILES / 'broken_gateways.py'}:Boastful"


def test_a_comparison_shows_where_two_gateways_differ(run: Run, tmp_path: Path) -> None:
    """It has both runs in full, the one check that differs, and the pages. A failed check is status 1."""
    finished = run(
        *("compare", "port-exhaustion", "--gateways", f"openflow,{BOASTFUL}", *SMALL),
        *("--out", "results", "--markdown", "results.md", "--junit", "checks.xml", "--json"),
    )

    assert finished.status == 1, finished.output + finished.complaints
    told = finished.result
    assert [(each["gateway"], each["verdict"]) for each in told["runs"]] == [
        ("openflow", "pass"),
        (BOASTFUL, "fail"),
    ]
    differences = {each["what"]: each for each in told["differences"]}
    assert set(differences) == {
        "verdict",
        "the gateway agrees: ports allocated when full",
        "the gateway's own counters that are beyond what the hosts sent and the pool has",
    }
    assert differences["the gateway agrees: ports allocated when full"]["values"] == {"openflow": 16, BOASTFUL: 17}
    assert json.loads((tmp_path / "results" / "compare.json").read_text()) == told
    for folder, expected in zip(("openflow", "broken_gateways-Boastful"), told["runs"], strict=True):
        assert json.loads((tmp_path / "results" / folder / "results.json").read_text()) == expected
        page = Page.of((tmp_path / "results" / folder / "report.html").read_text())
        assert "At most 16 ports had a mapping at once." in page.text
    assert "| [port-exhaustion](#port-exhaustion) | pass, " in (tmp_path / "results.md").read_text()
    page = Page.of((tmp_path / "results" / "report.html").read_text())
    assert "✗ FAILED: 17 expected: 16" in page.text
    suites = ElementTree.parse(tmp_path / "checks.xml").getroot()
    assert [suite.attrib["failures"] for suite in suites] == ["0", "2"]


def test_an_interrupted_comparison_keeps_what_has_been_done(start: Start, tmp_path: Path) -> None:
    """The first run is kept in full, and the second as far as it went. The third is not begun."""
    gateways = f"openflow,{BOASTFUL},{FILES / 'broken_gateways.py'}:Leaky"
    process = start("compare", "port-exhaustion", "--gateways", gateways, *SMALL, "--out", "results", "--json")
    deadline = time.monotonic() + DEADLINE_S
    while not (tmp_path / "results" / "broken_gateways-Boastful").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    os.kill(process.pid, signal.SIGINT)
    output, complaints = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 4, complaints
    told: dict[str, Any] = json.loads(output)
    assert [each["verdict"] for each in told["runs"]] == ["pass", "error"]
    assert told["runs"][1]["error"] == "interrupted by SIGINT"
