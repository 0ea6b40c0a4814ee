"""The page of a run that goes on: what it shows meanwhile, and what it keeps when the run is over."""

from __future__ import annotations

import io
import itertools

import pytest

from testbed.recording.format import RECORD, TICKS_PER_S, Kind, Refusal
from testbed.recording.writer import Writer
from testbed.web.listening import listen
from testbed.web.watching import Watched, Web
from tests.browser.conftest import Page

pytestmark = pytest.mark.browser
PORTS = 64_512


class Run:
    """A run that never was, whose events happen when a test says so."""

    def __init__(self, watched: Watched) -> None:
        self.writer = Writer(io.BytesIO(), {"scenario": "any"}, follow=watched.write)
        self.writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
        self.writer.text(0, "table", subscribers=[[1, "gateway", "10.0.0.1"]])
        self.now = 0.0
        self.watched = watched

    def happen(self, kind: Kind, port: int = 0, reason: int = 0) -> None:
        """Record an event a tenth of a millisecond after the one before."""
        self.now += 1 / TICKS_PER_S
        self.writer.events(RECORD.pack(round(self.now * TICKS_PER_S), kind, reason << 4, 1, port, 1))

    def told(self) -> None:
        """Let the time pass that events wait for others."""
        self.now += 1
        self.writer.tick(self.now)

    def end(self) -> None:
        """End the run."""
        self.writer.end(self.now, verdict="pass")
        self.watched.close()


def test_what_happens_is_seen_before_the_run_is_over(page: Page) -> None:
    """All ports are taken, then a packet is refused; the page shows each while nothing else happens."""
    with Web(listen(port=0)) as web:
        run = Run(web.begin("a run", {"settings": {"ports": PORTS}}))
        run.told()
        page.open(web.url, until="lastport.views()[0].recording.header")
        page.until("document.querySelector('#connection').textContent === 'live'")
        for port in range(1024, 65_536):
            run.happen(Kind.ALLOCATED, port)
        run.told()
        page.until("document.querySelector('.used').textContent === '64,512'")
        assert page.text(".refused") == "0"
        run.happen(Kind.REFUSED, reason=Refusal.PORTS)
        run.told()
        page.until("document.querySelector('.refused').textContent === '1'")
        page.until("document.querySelector('.figures').classList.contains('striped')")
        page.until("document.querySelector('.events li').textContent.includes('no free port')")
        run.happen(Kind.RELEASED, 2000)
        run.end()
        page.until("document.querySelector('.used').textContent === '64,511'")
    page.until("document.querySelector('#connection').textContent.includes('keeps what it has')")
    page.seek(0)
    assert page.text(".used") == "0"
    page.driver.execute_script("lastport.player.newest()")
    page.drawn()
    assert page.text(".used") == "64,511"


def test_the_runs_of_a_comparison_come_one_after_the_other(page: Page) -> None:
    """The second one stands beside the first, on one time axis."""
    with Web(listen(port=0)) as web:
        first = Run(web.begin("on openflow", {"settings": {"ports": 256}}))
        first.happen(Kind.ALLOCATED, 1024)
        first.told()
        page.open(web.url, until="lastport.views()[0].recording.length > 3")
        first.end()
        page.until("lastport.views()[0].recording.isComplete")
        second = Run(web.begin("on netfilter", {"settings": {"ports": 256}}))
        for port in (1024, 1025, 1026):
            second.happen(Kind.ALLOCATED, port)
        second.told()
        page.until("lastport.views().length === 2 && lastport.views()[1].recording.length > 5")
        page.until("document.querySelectorAll('.used')[1]?.textContent === '3'")
        assert page.ask("lastport.views().map((view) => view.title)") == ["on openflow", "on netfilter"]
        page.seek(0.0001)
        assert page.ask("[...document.querySelectorAll('.used')].map((each) => each.textContent)") == ["1", "1"]
        second.end()
        page.until("lastport.views()[1].recording.isComplete")
        assert page.inaccessible() == []


def test_motion_is_reduced_for_those_who_ask_for_it(page: Page) -> None:
    """Such a page is drawn once a second, and not ten times."""
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        with Web(listen(port=0)) as web:
            run = Run(web.begin("a run", {}))
            run.told()
            page.open(web.url, until="lastport.views()[0].recording.header")
            drawn = page.driver.execute_async_script(
                """const done = arguments[0], times = [], before = lastport.frames();
                let seen = before;
                const look = (time) => {
                    dispatchEvent(new Event("resize"));
                    if (lastport.frames() !== seen) times.push(time), seen = lastport.frames();
                    times.length < 3 ? requestAnimationFrame(look) : done(times);
                };
                requestAnimationFrame(look);"""
            )
            run.end()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert min(later - earlier for earlier, later in itertools.pairwise(drawn)) > 900
