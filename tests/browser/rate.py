"""How smooth the page is, and what memory it takes, with 64,512 mappings of which 20,000 change in a second.

    vagrant/python -m tests.browser.rate [--seconds 20] [--changes 20000] [--profile]

A recording that never was is fed to the real server, as a run feeds it, and the real page shows it. A line of JSON
is printed for each way of looking: `live`, `playing` the end of it again, and `seeking` instants by chance.

    frames_per_s      animation frames of the page: what the browser could draw
    drawings_per_s    drawings of the map: one for each animation frame in which there is something new
    longest_gap_ms    the longest time from one animation frame to the next
    memory_mb         private memory of the page's process; `heap_mb` and `buffers_mb` are JavaScript's part of it
    empty_mb          the same process with an empty page

`--profile` adds the functions that took the most time.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.recording.format import RECORD, TICKS_PER_S, Kind
from testbed.recording.writer import Writer
from testbed.web.listening import listen
from testbed.web.watching import Watched, Web
from tests.support.browser import browser
from tests.support.processes import awaited

PORTS = range(1024, 65_536)
SUBSCRIBERS = 64
CYCLE = (Kind.CLOSING, Kind.RELEASED, Kind.FREED, Kind.ALLOCATED)
BATCHES_PER_S = 20
SEEKS = 30
PLAYED_S = 5
SHOWN = 12
MB = 1e6

COUNT = """globalThis.counted = { frames: 0, gap: 0, drawings: lastport.frames(), since: performance.now() };
let before = counted.since;
const count = (now) => {
    counted.frames++, counted.gap = Math.max(counted.gap, now - before), before = now;
    requestAnimationFrame(count);
};
requestAnimationFrame(count);"""
COUNTED = """const seconds = (performance.now() - counted.since) / 1000;
return { frames_per_s: counted.frames / seconds, drawings_per_s: (lastport.frames() - counted.drawings) / seconds,
    longest_gap_ms: counted.gap };"""
RESET = "Object.assign(counted, { frames: 0, gap: 0, drawings: lastport.frames(), since: performance.now() })"
SEEK = """const [instants, done] = arguments, took = [];
const next = async () => {
    for (const each of instants) {
        const before = performance.now();
        lastport.player.seek(each);
        await lastport.settled();
        took.push(performance.now() - before);
    }
    done(took.sort((one, other) => one - other));
};
next();"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--changes", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    with Web(listen(port=0)) as web, browser() as driver:
        driver.get("about:blank")
        empty = memory(driver)["memory_mb"]
        run = Churn(web.begin("20,000 changes a second", {"settings": {"ports": len(PORTS)}}))
        run.fill()
        driver.get(web.url)
        full = "return globalThis.lastport?.views()[0]?.state?.created"
        awaited(lambda: driver.execute_script(full) == len(PORTS), "all ports are on the map")
        driver.execute_script(COUNT)
        with profiled(driver, is_wanted=asked.profile):
            run.churn(asked.seconds, asked.changes)
            told(driver, "live", changes_per_s=round(run.rate), empty_mb=empty)
        run.end()
        awaited(lambda: driver.execute_script("return lastport.views()[0].recording.isComplete"), "the end")
        driver.execute_script(f"lastport.player.seek({(run.now - PLAYED_S - 1) * TICKS_PER_S})")
        driver.execute_script(f"document.querySelector('#play').click(); {RESET}")
        with profiled(driver, is_wanted=asked.profile):
            time.sleep(PLAYED_S)
            told(driver, "playing")
        chance = random.Random(1)
        instants = [chance.randrange(round(run.now * TICKS_PER_S)) for _ in range(SEEKS)]
        driver.execute_script(RESET)
        took = driver.execute_async_script(SEEK, instants)
        told(driver, "seeking", median_ms=round(took[SEEKS // 2]), longest_ms=round(took[-1]))


class Churn:
    """A run in which every port is taken, and then given to another again and again."""

    def __init__(self, watched: Watched) -> None:
        self.writer = Writer(io.BytesIO(), {"scenario": "any"}, follow=watched.write)
        self.watched = watched
        self.now, self.rate = 0.0, 0.0
        self.writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
        rows = [[number, "gateway", f"10.0.0.{number}"] for number in range(1, SUBSCRIBERS + 1)]
        self.writer.text(0, "table", subscribers=rows)
        self.writer.text(0, "phase", name="fill")

    def fill(self) -> None:
        """Take every port, in 3 s of the recording."""
        for number, port in enumerate(random.Random(1).sample(PORTS, len(PORTS))):
            self._record(3 * number / len(PORTS), Kind.ALLOCATED, port)
        self._tick(4.0)
        self.writer.text(self.now, "phase", name="churn")

    def churn(self, seconds: int, changes: int) -> None:
        """Let ports change at a rate, as time passes."""
        events, begun, base = self._changes(), time.monotonic(), self.now
        done, passed = 0, 0.0
        while (passed := time.monotonic() - begun) < seconds:
            due = int(passed * changes)
            for port, kind in itertools.islice(events, due - done):
                done += 1
                self._record(base + done / changes, kind, port)
            self._tick(base + passed)
            time.sleep(1 / BATCHES_PER_S)
        self.rate = done / passed

    def end(self) -> None:
        """End the run."""
        self.writer.end(self.now, verdict="pass")
        self.watched.close()

    def _changes(self) -> Iterator[tuple[int, Kind]]:
        chance = random.Random(2)
        while True:
            port = chance.choice(PORTS)
            yield from ((port, kind) for kind in CYCLE)

    def _record(self, at: float, kind: Kind, port: int) -> None:
        subscriber = port % SUBSCRIBERS + 1
        self.writer.events(RECORD.pack(round(at * TICKS_PER_S), kind, 0, 1, port, subscriber))

    def _tick(self, now: float) -> None:
        self.now = now
        self.writer.tick(now)


def told(driver: Any, way: str, **more: float) -> None:
    """Print what was counted."""
    counted = {name: round(each, 1) for name, each in driver.execute_script(COUNTED).items()}
    print(json.dumps({"way": way, **counted, **memory(driver), **more}), flush=True)


def memory(driver: Any) -> dict[str, float]:
    """Return the memory of the page's process, which is the renderer that takes the most."""
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
    private = max(map(private_bytes, renderers(driver.service.process.pid)))
    return {
        "memory_mb": round(private / MB, 1),
        "heap_mb": round(heap["usedSize"] / MB, 1),
        "buffers_mb": round(heap.get("backingStorageSize", 0) / MB, 1),
    }


def renderers(root: int) -> list[int]:
    """Return the processes below a process that draw pages."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {root}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return [each for each in below if b"--type=renderer" in Path(f"/proc/{each}/cmdline").read_bytes()]


def private_bytes(process: int) -> int:
    """Return the bytes of a process that it shares with no other."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", rollup, re.MULTILINE)))


@contextmanager
def profiled(driver: Any, *, is_wanted: bool) -> Iterator[None]:
    """Have the browser profile the page while the block lasts, and print what took the most time."""
    if not is_wanted:
        yield
        return
    driver.execute_cdp_cmd("Profiler.enable", {})
    driver.execute_cdp_cmd("Profiler.start", {})
    yield
    profile = driver.execute_cdp_cmd("Profiler.stop", {})["profile"]
    names = {node["id"]: node["callFrame"] for node in profile["nodes"]}
    spent: Counter[str] = Counter()
    for node, delta in zip(profile["samples"], profile["timeDeltas"], strict=True):
        frame = names[node]
        spent[f"{frame['functionName'] or '(anonymous)'} {frame['url'].rpartition('/')[2]}"] += delta
    whole = sum(spent.values())
    for name, microseconds in spent.most_common(SHOWN):
        print(f"{100 * microseconds / whole:6.1f} %  {name}")


if __name__ == "__main__":
    main()
