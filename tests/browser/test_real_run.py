"""The page during real runs: its map, the gateway's gauge and what the servers saw are one number."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import Page
from tests.emulation.conftest import COMMAND
from tests.support import busy

pytestmark = pytest.mark.browser
TAKEN = """(() => {
    const { map } = lastport.views()[0], cells = map.counted(), colours = map._view.palette.pixels.states;
    return [1, 2].reduce((sum, state) => sum + (cells.get(colours[state]) ?? 0), 0);
})()"""


@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_what_is_taken_is_what_the_gateway_and_the_servers_say(page: Page, tmp_path: Path, gateway: str) -> None:
    """At the end of the fill, live, and again from the recording; a refusal is seen while the run goes on."""
    if os.geteuid():
        pytest.skip("a lab needs root on most machines")
    options = ["--gateway", gateway, "--out", str(tmp_path / "out"), "--json", "--web", "--web-port", "0"]
    command = [*COMMAND, "run", "port-exhaustion", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        url = next(word for line in run.stderr for word in line.split() if word.startswith("http://"))
        page.open(url, until="lastport.views()[0].recording.header")
        page.until("lastport.views()[0].timeline.head.phases.some((each) => each.name === 'fill')")
        if page.ask("lastport.views()[0].recording.header.gateways.gateway.knows.includes('REFUSED')"):
            page.until("lastport.views()[0].timeline.head.refused > 0")
            assert run.poll() is None
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
    seen = {check["claim"]: check["observed"] for check in result["checks"]}
    assert page.ask(TAKEN) == seen["distinct external endpoints that the servers saw"] == 256
    assert page.ask(TAKEN) == seen.get("the gateway agrees: ports allocated when full", 256)
    assert page.text(".used") == "256"
