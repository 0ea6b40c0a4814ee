"""The page of a finished run: what it shows at an instant, to whom, and by which means."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from testbed.recording import Kind, Outcome, Phase, Recording
from testbed.recording.format import FILE, REASONS, RECORD, TICKS_PER_S
from testbed.recording.writer import Writer
from testbed.web.listening import Listener, listen
from testbed.web.site import Shelf
from testbed.web.sources import Finished
from tests.browser.conftest import WINDOWS, Page, finished
from tests.support import made_recordings as recordings
from tests.support.webserver import served


def test_the_map_shows_what_the_recording_says(page: Page, tmp_path: Path) -> None:
    """Taken cells are the gauge; the page is accessible, and every control can be reached by the keyboard."""
    with finished(recordings.write(tmp_path / "one")) as listener:
        page.open(listener.url)

        page.seek(recordings.FULL_AT_S)
        assert taken(page) == 256
        assert page.text(".used") == "256"
        assert page.text(".refused") == "0"
        page.seek(recordings.REFUSED_AT_S)
        assert page.text(".refused") == "64"
        assert page.ask("lastport.views()[0].map._view.isRefused") is True
        page.seek(recordings.FULL_AT_S / 2)
        assert taken(page) == 128
        assert page.text(".used") == "128"
        page.driver.execute_script("document.querySelector('.checks .instant').click()")
        page.drawn()
        assert page.text("#clock") == "1.500 s"

        assert page.inaccessible() == []
        assert page.controls() - page.reached() == set()


def taken(page: Page) -> int:
    """Return the number of cells of the map that have the colour of a port in use."""
    colour = "lastport.views()[0].map._view.palette.pixels.states[1]"
    return int(page.ask(f"lastport.views()[0].map.counted().get({colour}) ?? 0"))


@pytest.mark.browser
@pytest.mark.parametrize("seed", range(4))
def test_at_any_instant_the_page_agrees_with_the_reader(page: Page, tmp_path: Path, seed: int) -> None:
    """Also where events come late, ports are shared, and what is told does not fit to what was before."""
    chance = random.Random(seed)
    path = any_recording(tmp_path / "any", chance, 60_000 if seed == 3 else 3_000)
    recording = Recording.open(path)
    with finished(path) as listener:
        page.open(listener.url)
        for _ in range(12):
            at = chance.randrange(round(recording.seconds * TICKS_PER_S) + 1) / TICKS_PER_S
            state = recording.at(at)
            page.seek(at)

            assert page.ask(f"({PORTS})(lastport.views()[0])") == sorted(
                [address, protocol, number, port.phase.value, port.mappings, round(port.since * TICKS_PER_S)]
                for (_, address, protocol), ports in state.ports.items()
                for number, port in ports.items()
            )
            who = f"({SUBSCRIBERS})(lastport.views()[0])"
            assert dict(page.ask(who)) == {host: number for (_, host), number in state.subscribers.items()}
            totals = [state.counts()[phase] for phase in Phase]
            assert page.ask("[...lastport.views()[0].state.totals()].slice(1)") == totals
            phases = Counter(port.phase for ports in state.ports.values() for port in ports.values())
            assert page.ask("[...lastport.views()[0].state.ports()].slice(1)") == [phases[each] for each in Phase]
            assert page.ask("lastport.views()[0].state.refused") == sum(state.refusals.values())
            assert page.ask("lastport.views()[0].state.missed") == sum(state.missed.values())
            attempts = page.ask("[...lastport.views()[0].state.attempts]")
            assert {Outcome(each).name.lower(): n for each, n in enumerate(attempts) if n} == dict(state.attempts)


SUBSCRIBERS = """(view) => view.subscribersOf(null).filter((each) => each.mappings)
    .map((each) => [each.name.split(" ").at(-1), each.mappings])"""
PORTS = """(view) => [...view.state.pools.values()].flatMap((pool) => Array.from({length: 65536}, (_, port) => [
    view.recording.addresses.get(pool.address).address, ["tcp", "udp", "icmp"][pool.protocol], port,
    ["free", "in use", "closing", "resting", "held down"][pool.value("state", port)],
    pool.value("mappings", port), pool.value("since", port),
]).filter((row) => row[3] !== "free")).sort((one, other) => one[0] < other[0] ? -1 : one[0] > other[0] ? 1 :
    one[1] < other[1] ? -1 : one[1] > other[1] ? 1 : one[2] - other[2])"""


def any_recording(folder: Path, chance: random.Random, events: int) -> Path:
    """Write a recording of events by chance, one in ten of which comes late."""
    folder.mkdir()
    kinds = [kind for kind in Kind if kind is not Kind.TEXT]
    with (folder / FILE).open("wb") as file:
        writer = Writer(file, {"scenario": "any"})
        writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"], [2, "gateway", "192.0.2.2"]])
        subscribers = [(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.1")]  # one has two indexes
        writer.text(0, "table", subscribers=[[index, "gateway", address] for index, address in subscribers])
        now = 0
        for _ in range(events):
            now += chance.randrange(20)
            at = now if chance.random() < 0.9 else chance.randrange(now + 1)
            kind = chance.choice([*kinds, *[Kind.ALLOCATED] * 4])
            reason = chance.randrange(6) << 4 if kind in REASONS else 0
            address, port = chance.choice([1, 2]), chance.randrange(1024, 1100)
            row = (at, kind, chance.randrange(3) | reason, address, port, chance.choice([1, 2, 3]))
            writer.events(RECORD.pack(*row))
            if chance.random() < 0.01:
                writer.text(now / TICKS_PER_S, "missed", gateway="gateway", events=chance.randrange(9))
            writer.tick(now / TICKS_PER_S)
        writer.end(now / TICKS_PER_S, verdict="pass")
    return folder


@pytest.mark.browser
def test_the_page_goes_on_where_it_was_when_its_server_comes_back(page: Page, tmp_path: Path) -> None:
    """It says that the connection is lost, keeps what it has, and gets the rest."""
    recorded: list[bytes] = []
    recordings.write(tmp_path / "whole", follow=recorded.append)
    whole = b"".join(recorded)
    half = len(whole) // 2
    with (
        (tmp_path / "growing").open("wb", buffering=0) as file,
        running(tmp_path / "growing") as (server, listener),
    ):
        file.write(whole[:half])
        page.open(listener.url, until=f"lastport.views()[0].recording.received === {half}")
        page.until("document.querySelector('#connection').textContent === 'live'")
        port = listener.socket.getsockname()[1]
        before = page.ask("lastport.views()[0].recording.length")
        listener.socket.close()
        server.kill()
        server.wait()
        page.until("document.querySelector('#connection').className === 'connection lost'")
        assert page.ask("lastport.views()[0].recording.length") == before
        with running(tmp_path / "growing", port):
            file.write(whole[half:])
            page.until("lastport.views()[0].recording.isComplete")
            assert page.ask("lastport.views()[0].recording.received") == len(whole)
            page.until("document.querySelector('#connection').textContent === 'live'")
    page.until("document.querySelector('#connection').className === 'connection over'")
    page.complaints()  # the browser complains that there was no server


@contextmanager
def running(path: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], Listener]]:
    """Serve a recording that grows in a file, in a process that a test may kill."""
    listener = listen(port=port, token="token")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptors = [theirs.fileno(), listener.socket.fileno()]
    command = [sys.executable, "-P", "-m", "testbed.web.process", *map(str, descriptors)]
    with subprocess.Popen(command, pass_fds=descriptors) as process, ours:
        theirs.close()
        ours.send(json.dumps({"token": "token"}).encode())
        with path.open("rb") as file, tempfile.TemporaryFile() as about:
            about.write(b"{}")
            about.flush()
            begin = {"begin": "run", "title": "a run"}
            socket.send_fds(ours, [json.dumps(begin).encode()], [file.fileno(), about.fileno()])
        yield process, listener
        listener.socket.close()


@pytest.mark.browser
def test_what_a_recording_says_is_text_and_nothing_else(page: Page, tmp_path: Path) -> None:
    """Whoever wrote it, nothing of it becomes an element or a script, and odd values break nothing."""
    evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    odd: list[Any] = [
        evil,
        None,
        7,
        [],
        {},
        {"claim": evil, "expected": {evil: evil}, "source": f"{evil} RFC 1 x"},
    ]
    (tmp_path / "odd").mkdir()
    with (tmp_path / "odd" / FILE).open("wb") as file:
        writer = Writer(file, {"scenario": evil, "gateways": {evil: {"how": evil, "knows": [evil]}}})
        writer.text(0, "table", addresses=[[1, evil, evil]], subscribers=[[1, evil, evil]])
        for each in odd:
            writer.text(0.1, "check", check=each)
            writer.text(0.2, "gauges", gateway=evil, gauges=each)
            writer.text(0.2, "phase", name=each)
            writer.text(0.2, "progress", done=each, total=each)
            writer.text(0.2, "missed", events=each)
            writer.text(0.2, "counters", counters=each)
        writer.events(RECORD.pack(3000, Kind.ALLOCATED, 0, 1, 1024, 1))
        writer.end(1, verdict=evil)
    shelf = Shelf()
    settings = {"ports": 10**9, evil: evil}
    about = {
        "settings": settings,
        "chosen": {evil: 1},
        "network": {"places": [{"name": evil}]},
        "hosts": {evil: evil},
    }
    shelf.add(Finished("run", evil, tmp_path / "odd" / FILE, {**about, "drawing": evil, "command": evil}))
    with served(shelf) as listener:
        page.open(listener.url)
        page.drawn()

        assert page.text(".used") == "1"
        assert page.ask("document.querySelectorAll('img:not([src=\"icon.svg\"]), main script').length") == 0
        assert evil in page.text(".checks")
        assert page.ask("document.title") == f"{evil} - lastport"


@pytest.mark.browser
def test_everything_can_be_done_by_the_keyboard(page: Page, tmp_path: Path) -> None:
    """A port is found and told, the map is zoomed, time is moved, a tab is opened, the projector is on and off."""
    with finished(recordings.write(tmp_path / "one", order=in_order)) as listener:
        page.open(listener.url)
        page.seek(recordings.FULL_AT_S)
        page.driver.execute_script("document.querySelector('.map').focus()")
        page.press(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
        assert page.text(".mapping").startswith("Port 1,041 is in use by bob 10.0.0.2, since 0.070 s")
        page.press("+")
        assert page.ask("lastport.views()[0].map.zoom") == 2
        page.press(Keys.END)
        assert page.text(".mapping").startswith("Port 1,279 is in use by 10.0.0.8")
        page.press("0")
        page.driver.execute_script("document.activeElement.blur()")

        body = page.driver.find_element("tag name", "body")
        body.send_keys(Keys.ARROW_LEFT)
        assert page.text("#clock") == "0.900 s"
        body.send_keys(Keys.HOME)
        assert page.text("#clock") == "0.000 s"
        body.send_keys(Keys.END)
        assert page.text("#clock") == f"{recordings.END_S:.3f} s"
        body.send_keys("p")
        parts = "[...document.querySelectorAll('.tabs, .controls, .figures, .map, .legend, .side')]"
        shown = f"{parts}.map((each) => each.checkVisibility())"
        assert page.ask(shown) == [False, False, True, True, True, False]
        body.send_keys(Keys.ESCAPE)
        assert page.ask(shown) == [True] * 6
        page.driver.execute_script("document.querySelector('[role=tab]').focus()")
        page.press(Keys.ARROW_RIGHT)
        assert page.ask("document.querySelector('[data-panel=topology]').checkVisibility()")
        assert page.inaccessible() == []
        page.press(Keys.ARROW_RIGHT)
        assert page.ask("document.querySelector('[data-panel=settings]').checkVisibility()")
        assert page.inaccessible() == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_any_window(page: Page, tmp_path: Path, theme: str) -> None:
    """Nothing is cut off, neither of 64,512 ports nor of two runs beside one another, and all is accessible."""
    one = recordings.write(tmp_path / "one", 64_512)
    two = recordings.write(tmp_path / "two", 64_512, gateway="netfilter")
    with finished(one, two, ports=64_512) as listener:
        page.open(listener.url)
        for window in WINDOWS:
            with page.dressed(*window, theme):
                page.seek(recordings.FULL_AT_S / 2)
                for tab in ("topology", "settings", "ports"):
                    page.driver.execute_script(f"document.querySelector('[data-tab={tab}]').click()")
                    assert (window, tab, page.too_wide()) == (window, tab, 0)
                page.drawn()
                assert (window, page.ask(CUT_OFF)) == (window, 0)
                assert page.inaccessible() == []


CUT_OFF = """Math.max(...[...document.querySelectorAll(".map")].map((map) => {
    const inner = map.getBoundingClientRect(), outer = map.parentElement.getBoundingClientRect();
    const beyond = [outer.left - inner.left, inner.right - outer.right, inner.bottom - outer.bottom];
    return Math.floor(Math.max(0, ...beyond));
}))"""


def in_order(ports: int) -> Iterator[tuple[int, int]]:
    """Yield the ports in sequence, for the subscribers in turn."""
    yield from ((number % 8 + 1, recordings.FIRST + number) for number in range(ports))


@pytest.mark.browser
def test_a_recording_plays_to_its_end(page: Page, tmp_path: Path) -> None:
    """There it stops, and the map and the tables are those of the end, where the last port was taken."""
    (tmp_path / "one").mkdir()
    with (tmp_path / "one" / FILE).open("wb") as file:
        writer = Writer(file, {"scenario": "any"})
        for port in range(1024, 2024):
            writer.events(RECORD.pack(10 * (port - 1023), Kind.ALLOCATED, 0, 1, port, 1))
        writer.end(1.0, verdict="pass")
    with finished(tmp_path / "one", ports=1000) as listener:
        page.open(listener.url)
        page.seek(0.8)
        page.driver.find_element("id", "play").click()
        page.until("lastport.player.now === 10_000 && !lastport.player.isPlaying")
        page.drawn()

        assert page.text("#play") == "Play"
        assert page.text(".used") == "1,000"
        assert taken(page) == 1000
        assert page.text(".gauges td") == "1,000"


@pytest.mark.browser
def test_a_port_that_several_mappings_share_is_one_port(page: Page, tmp_path: Path) -> None:
    """The number of ports in use, the legend and the chart count it once, and the table of mappings twice."""
    with events_of(tmp_path, ((Kind.ALLOCATED, 1, 1024 + number % 32) for number in range(64))) as listener:
        page.open(listener.url)
        page.drawn()

        assert page.text(".used") == "32"
        assert page.text(".of") == "of 64 ports in use"
        assert taken(page) == 32
        legend = "[...document.querySelectorAll('.legend td')].map((each) => each.textContent).filter(Boolean)"
        assert page.ask(legend)[:4] == ["free", "32", "in use", "32"]
        assert page.text(".gauges td") == "64"
        assert page.ask("Math.max(...lastport.views()[0].timeline.series.columns.inUse)") == 32


@pytest.mark.browser
def test_the_page_keeps_no_more_than_the_ports_that_were_used(page: Page, tmp_path: Path) -> None:
    """With many addresses too, and nothing for events that it does not know or that fit to nothing."""
    used = [(Kind.ALLOCATED, address, 40_000) for address in range(1, 801)]
    unknown = [(kind, address, 1024) for address in range(801, 1601) for kind in (77, Kind.RELEASED, Kind.FREED)]
    with events_of(tmp_path, [*used, *unknown]) as listener:
        page.open(listener.url)
        page.drawn()

        state = "lastport.views()[0].state"
        assert page.ask(f"{state}.pools.size") == 800
        bytes_of = "(pool) => Object.values(pool).reduce((sum, each) => sum + (each?.byteLength ?? 0), 0)"
        assert page.ask(f"Math.max(...Array.from({state}.pools.values(), {bytes_of}))") < 8192


@contextmanager
def events_of(folder: Path, events: Iterable[tuple[int, int, int]]) -> Iterator[Listener]:
    """Serve a recording of TCP events of a NAT with 64 ports: each has its kind, address and port."""
    (folder / "one").mkdir()
    with (folder / "one" / FILE).open("wb") as file:
        writer = Writer(file, {"scenario": "any"})
        for number, (kind, address, port) in enumerate(events):
            writer.events(RECORD.pack(number + 1, kind, 0, address, port, 1))
        writer.end(1.0, verdict="pass")
    with finished(folder / "one", ports=64) as listener:
        yield listener


@pytest.mark.browser
def test_what_is_known_besides_is_asked_for_until_it_comes(page: Page, tmp_path: Path) -> None:
    """Neither a connection that breaks off nor an error of the server is an answer."""
    failing = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FAILING})
    try:
        with finished(recordings.write(tmp_path / "one", ports=16)) as listener:
            page.open(listener.url)
            page.until("lastport.views()[0].about.settings?.ports === 256")
            page.drawn()
            assert page.text(".of") == "of 256 ports in use"
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", failing)


FAILING = """const real = fetch, answers = [
    () => Promise.reject(new TypeError("no network")),
    () => Promise.resolve(new Response("", { status: 503 })),
];
globalThis.fetch = (url, ...rest) =>
    (`${url}`.endsWith("/about") && answers.shift()?.()) || real(url, ...rest);"""


@pytest.mark.browser
def test_it_does_not_matter_in_which_pieces_a_recording_comes(page: Page, tmp_path: Path) -> None:
    """What was shown before a late event came is shown anew with it."""
    with finished(any_recording(tmp_path / "any", random.Random(5), 40_000)) as listener:
        page.open(listener.url)
        same = page.driver.execute_async_script(PIECES)

    assert same == [True] * 8


PIECES = """(async (done) => {
const key = lastport.views()[0].key;
const [{ Recording }, { Timeline }] = await Promise.all([import("./recording.js"), import("./timeline.js")]);
const bytes = new Uint8Array(await (await fetch(`recordings/${key}`)).arrayBuffer());
const fed = (size, look) => {
    const recording = new Recording(), timeline = new Timeline(recording);
    for (let at = 0; at < bytes.length; at += size) {
        timeline.advance(recording.push(bytes.subarray(at, at + size)));
        look(timeline, recording);
    }
    return timeline;
};
const told = (state) => JSON.stringify([state.totals(), [...state.mappings], state.refused, state.missed,
    [...state.pools].map(([key, pool]) => [key, pool.low, pool.high, [...pool.ports],
        ["state", "since", "mappings"].map((name) => Array.from({length: 2048}, (_, at) => pool.value(name, at)))])
        .sort()]);
const whole = fed(bytes.length, () => {});
const parts = fed(15_555, (timeline, recording) => timeline.at(recording.end * 0.62));
const instants = [5, 6, 7, 1, 2, 3, 4, 8].map((eighth) => (whole.recording.end * eighth) / 8);
done(instants.map((at) => told(whole.at(at)) === told(parts.at(at))));
})(arguments[0]);
"""


@pytest.mark.browser
def test_a_map_has_the_ports_of_several_ranges(page: Page, tmp_path: Path) -> None:
    """One after the other, and besides them those that a NAT gives although it should not."""
    folder = tmp_path / "ranges"
    folder.mkdir()
    with (folder / "recording.gz").open("wb") as file:
        how = {
            "addresses": ["192.0.2.1"],
            "first_port": 4096,
            "ports": 5,
            "port_ranges": [[4096, 4098], [8192, 8193]],
        }
        writer = Writer(file, {"scenario": "any", "gateways": {"gateway": how}})
        writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
        writer.text(0, "table", subscribers=[[1, "gateway", "10.0.0.1"]])
        for at, port in ((1, 4097), (2, 8193), (3, 5000)):
            writer.events(RECORD.pack(at * TICKS_PER_S, Kind.ALLOCATED, 0, 1, port, 1))
        writer.end(4.0, verdict="pass")
    with finished(folder) as listener:
        page.open(listener.url)
        page.seek(2.5)
        assert page.ask("[...lastport.views()[0].map.shape.cells.ports]") == [4096, 4097, 4098, 8192, 8193]
        assert taken(page) == 2
        page.seek(3.5)
        assert page.ask("[...lastport.views()[0].map.shape.cells.ports]") == [4096, 4097, 4098, 5000, 8192, 8193]
        assert taken(page) == 3
