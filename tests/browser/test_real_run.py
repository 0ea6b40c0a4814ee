"""The page during real runs: its map, the gateway's gauge and what the servers saw are one number."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testbed.evidence.busy import SAMPLE_S
from testbed.recording.format import Kind
from tests.browser.conftest import Page
from tests.emulation.conftest import COMMAND
from tests.support import busy
from tests.support.processes import awaited

pytestmark = pytest.mark.browser
GAUGE = "the gateway agrees: ports allocated when full"
APPEARS_WITHIN_S = 1.0
"""Seconds from a refusal, by its own time, until the page shows it."""
TAKEN = """(() => {
    const { map } = lastport.views()[0], cells = map.counted(), colours = map._view.palette.pixels.states;
    return [1, 2].reduce((sum, state) => sum + (cells.get(colours[state]) ?? 0), 0);
})()"""
"""The cells of the map that are in use or closing."""
WATCH = f"""globalThis.seen = {{ refused: null, full: null }};
setInterval(() => {{
    const view = lastport.views()[0], number = (name) => document.querySelector(name).textContent;
    if (Number(number(".refused")) > 0) seen.refused ??= Date.now() / 1000;
    if (view.state?.phase === "fill" && number(".used") === "256") seen.full ??= {TAKEN};
}}, 20);"""
"""Notes when the page first shows a refusal, and what its map has once all ports are in use, in the fill."""
FIRST_REFUSAL = """(() => {
    const { recording } = lastport.views()[0], at = recording.kind.indexOf(REFUSED);
    return new Date(recording.header.started).getTime() / 1000 + recording.time[at] / 10_000;
})()""".replace("REFUSED", str(int(Kind.REFUSED)))


@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_what_is_taken_is_what_the_gateway_and_the_servers_say(page: Page, tmp_path: Path, gateway: str) -> None:
    """In the fill, live, and at its end from the recording. A refusal is seen within a second, live."""
    if os.geteuid():
        pytest.skip("a lab needs root on most machines")
    options = ["--gateway", gateway, "--out", str(tmp_path / "out"), "--json", "--web", "--web-port", "0"]
    command = [*COMMAND, "run", "port-exhaustion", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        url = next(word for line in run.stderr for word in line.split() if word.startswith("http://"))
        page.open(url, until="lastport.views()[0].recording.header")
        page.driver.execute_script(WATCH)
        knows_refusals = page.ask(
            "lastport.views()[0].recording.header.gateways.gateway.knows.includes('REFUSED')"
        )
        awaited(lambda: page.ask("seen.full") or run.poll() is not None, "a full map")
        if knows_refusals:
            awaited(lambda: page.ask("seen.refused") or run.poll() is not None, "a refusal")
        went_on = run.poll() is None
        output, complaints = run.communicate()
    result = json.loads(output)
    if busy.WORDS in result.get("error", ""):
        busy.skip(result["error"])
    assert run.returncode == 0, complaints
    page.until("lastport.views()[0].recording.isComplete")
    assert page.text(".verdict") == "PASS"

    page.seek(
        page.ask("lastport.views()[0].timeline.head.phases.find((each) => each.name === 'fill').end") / 10_000
    )
    claims = {check["claim"]: check["observed"] for check in result["checks"]}
    assert page.ask(TAKEN) == claims["distinct external endpoints that the servers saw"] == 256
    assert claims[GAUGE] == 256
    assert page.text(".used") == "256"

    seen = page.ask("seen")
    late_s = (seen["refused"] or math.inf) - page.ask(FIRST_REFUSAL) if knows_refusals else 0.0
    if not went_on or late_s > APPEARS_WITHIN_S:
        _skip_if_busy(result["machine"]["busy"], f"a refusal that is seen {late_s:.2f} s later")
    assert went_on
    assert seen["full"] == 256
    assert late_s <= APPEARS_WITHIN_S


def _skip_if_busy(measured: dict[str, Any], what: str) -> None:
    """Skip the test if the run, by its own figures, had to wait for processors, as the page then had to."""
    wanted, processors, waited_s = (measured[name] for name in ("wanted", "processors", "waited_s"))
    if wanted > 2 * processors or waited_s >= SAMPLE_S:
        figures = f"{wanted:.1f} tasks wanted its {processors} processors, its programs waited {waited_s:.2f} s"
        busy.skip(f"{busy.WORDS} for {what} ({figures})")
