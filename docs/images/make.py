"""Make the pictures of the page that the documents show: real runs, looked at in Debian's Chromium.

    sudo vagrant/python docs/images/make.py                 runs what is missing in runs/images/, some minutes
    vagrant/python docs/images/make.py --recorded DIR       takes the results that are there

`port-maps.png` has four NATs at three degrees of filling, `page.png` the page of one of them, and `compare.png`
two beside one another. `report.png` and `comparison.png` are reports. Only runs that passed are shown: on a busy
machine a run may be made several times.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
LARGE = ["run", "port-exhaustion", "--set", "ports=64512", "--set", "on_exhaustion=drop"]
NATS = {
    "random": [*LARGE, "--allocator", "random"],
    "sequential": [*LARGE, "--allocator", "sequential"],
    "blocks": [*LARGE, "--allocator", "blocks", "--set", "port_set_size=512"],
    "Linux": [*LARGE, "--gateway", "netfilter"],
}
"""The NATs of the sheet, and how each is chosen."""
COMPARED = ["compare", "port-exhaustion", "--gateways", "openflow,netfilter,ovs-ct"]
TRIES = 5
COLOURED_BY = {"blocks": "subscriber"}
SHARES = (0.1, 0.9, 1.0)
WAIT_S = 120

STYLE = """<style>
body { margin: 0; padding: 20px 24px; background: #101317; color: #e9ebee; font: 15px sans-serif }
div { display: grid; grid-template-columns: repeat(4, 256px); gap: 10px 24px } p { margin: 0; color: #a3adb8 }
img { display: block; border: 1px solid #323942 } b { color: #e9ebee }</style>"""


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorded", type=Path, default=CHECKOUT / "runs" / "images")
    folder: Path = parser.parse_args().recorded
    random, linux = (passed(folder, name, NATS[name]) for name in ("random", "Linux"))
    compared = passed(folder, "compare", COMPARED)
    with browser() as driver:
        with shown(driver, [random]):
            share(driver, 0.9)
            taken(driver, HERE / "page.png", theme="light")
        with shown(driver, [random, linux]):
            share(driver, 0.9, number=1)
            taken(driver, HERE / "compare.png", theme="dark")
        for name, report in (("report", compared / "openflow"), ("comparison", compared)):
            driver.get((report / "report.html").resolve().as_uri())
            taken(driver, HERE / f"{name}.png", theme="light", width=1000, height=1100)
        sheet(driver, {name: passed(folder, name, command) for name, command in NATS.items()})


def passed(folder: Path, name: str, command: list[str]) -> Path:
    """Return the folder of results that passed, which are made if there are none."""
    for number in range(1, TRIES + 1):
        path = folder / f"{name}-{number}"
        if not path.exists():
            subprocess.run(["./lastport", *command, "--no-live", "--out", str(path)], cwd=CHECKOUT, check=False)
        if has_passed(path):
            return path
    sys.exit(f"{folder}/{name}-*: none of {TRIES} runs passed; remove them, and make others on a quiet machine")


def has_passed(path: Path) -> bool:
    """Whether the results in a folder are there, and every run of them passed."""
    files = [file for name in ("results.json", "compare.json") if (file := path / name).exists()]
    told = [json.loads(file.read_bytes()) for file in files]
    return bool(told) and all(run["verdict"] == "pass" for each in told for run in each.get("runs", [each]))


def sheet(driver: Any, folders: dict[str, Path]) -> None:
    """Make the picture of all maps: a column for each NAT, a row for each degree of filling."""
    cells: dict[tuple[str, float], str] = {}
    for name, folder in folders.items():
        with shown(driver, [folder], theme="dark"):
            for part in SHARES:
                colouring = COLOURED_BY.get(name, "state")
                driver.execute_script(f"document.querySelector('.colouring').value = '{colouring}'")
                used = share(driver, part)
                image = driver.execute_script("return lastport.views()[0].map._cells.toDataURL()")
                cells[name, part] = f'<span><p><b>{name}</b>, {used} in use</p><img src="{image}"></span>'
    rows = "".join(cells[name, part] for part in SHARES for name in folders)
    page = HERE / "sheet.html"
    page.write_text(f"<!doctype html>{STYLE}<div>{rows}</div>")
    try:
        driver.get(page.as_uri())
        taken(driver, HERE / "port-maps.png", width=1152, height=876)
    finally:
        page.unlink()


def share(driver: Any, part: float, *, number: int = 0) -> str:
    """Go to the first instant at which a share of the ports is in use; return how many are, in words.

    If there is none, since the NAT never got there, that is the instant at which most are.
    """
    return str(
        driver.execute_async_script(
            """const [part, number, done] = arguments, view = lastport.views()[number];
            const { time, inUse } = view.timeline.series.columns, most = Math.max(...inUse);
            const at = inUse.findIndex((used) => used >= Math.min(most, part * view.ports));
            lastport.player.seek(time[at] * 10000);
            lastport.settled().then(() => done(view.$(".used").textContent));""",
            part,
            number,
        )
    )


@contextmanager
def shown(driver: Any, folders: list[Path], *, theme: str = "dark") -> Iterator[None]:
    """Have the browser show recordings while the block lasts."""
    command = [sys.executable, "-m", "testbed.command", "view", *map(str, folders), "--web-port", "0"]
    with subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[0]
        dress(driver, theme)
        driver.get(url)
        ready = "return lastport.views().length && lastport.views().every((view) => view.recording.isComplete)"
        WebDriverWait(driver, WAIT_S).until(lambda _: driver.execute_script(ready))
        try:
            yield
        finally:
            driver.get("about:blank")
            server.terminate()


def taken(driver: Any, path: Path, *, theme: str = "dark", width: int = 1440, height: int = 900) -> None:
    """Write what the browser shows to a file, as small as PNG can be."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    dress(driver, theme)
    driver.execute_async_script(
        "(globalThis.lastport?.settled() ?? Promise.resolve()).then(() => setTimeout(arguments[0], 300))"
    )
    driver.save_screenshot(str(path))
    print(json.dumps({"picture": path.name, "bytes": path.stat().st_size}))


def dress(driver: Any, theme: str) -> None:
    """Choose the light or the dark theme."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@contextmanager
def browser() -> Iterator[Any]:
    """Start the browser for as long as the block lasts."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("this needs chromium and chromium-driver")
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(WAIT_S)
    try:
        yield driver
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
