"""Tests of the page in Debian's own browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from testbed.web.listening import Listener
from testbed.web.site import Shelf
from testbed.web.sources import Finished
from tests.support.browser import browser, is_there
from tests.support.processes import awaited
from tests.support.webserver import served

WINDOWS = ((320, 640), (768, 1024), (1920, 1080), (640, 400))
"""A telephone, a tablet, a projector, and a laptop whose browser enlarges everything twice."""
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
GRAVE = ("serious", "critical")


class Page:
    """The page in a browser. `lastport` is what it offers to those who test it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(
        self, url: str, *, until: str = "lastport.views().every((view) => view.recording.isComplete)"
    ) -> None:
        """Open the page of a server, and wait until it has what it is to have."""
        self.driver.get_log("browser")
        self.driver.get(url)
        self.until(f"globalThis.lastport && lastport.views().length && {until}")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression."""
        return self.driver.execute_script(f"return {expression}")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true, and return its value."""
        return awaited(lambda: self.ask(expression), expression)

    def seek(self, seconds: float) -> None:
        """Show an instant, and wait until it is drawn and written."""
        self.driver.execute_script(f"lastport.player.seek({round(seconds * 10_000)})")
        self.drawn()

    def drawn(self) -> None:
        """Wait until what the page has by now is drawn and written."""
        self.driver.execute_async_script("lastport.settled().then(arguments[0])")

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def text(self, selector: str) -> str:
        """Return what an element says."""
        return str(self.ask(f"document.querySelector({selector!r}).textContent"))

    @contextmanager
    def dressed(self, width: int, height: int, theme: str) -> Iterator[None]:
        """Have a window of a size in CSS pixels, and a theme, while the block lasts."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def too_wide(self) -> int:
        """Return the pixels by which the page is wider than its window."""
        return int(self.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def complaints(self) -> list[str]:
        """Return what the browser has logged since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def inaccessible(self) -> list[str]:
        """Return what axe finds that is serious or worse: the rule, and the first element."""
        self.driver.execute_script(AXE.read_text())
        found = self.driver.execute_async_script("axe.run().then(arguments[0])")
        return [
            f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"] if each["impact"] in GRAVE
        ]

    def reached(self, most: int = 200) -> set[str]:
        """Return the controls that the tabulator key leads to, from the page's beginning to its end."""
        self.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        found: set[str] = set()
        self.driver.find_element("tag name", "body").send_keys(Keys.TAB)
        for _ in range(most):
            name = self.ask(f"({_NAME})(document.activeElement)")
            if name in found:
                break
            found.add(name)
            self.press(Keys.TAB)
        return found

    def controls(self) -> set[str]:
        """Return the controls that are to be seen."""
        wanted = "a[href], button, select, input, [tabindex='0']"
        is_seen = "(each) => each.checkVisibility() && each.tabIndex >= 0"
        return set(self.ask(f"[...document.querySelectorAll({wanted!r})].filter({is_seen}).map({_NAME})"))


_NAME = """(each) => [each.tagName, each.id, each.className, each.getAttribute("aria-label"), each.textContent]
    .join(" ").slice(0, 80)"""


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Start the browser once. Without one, skip the tests."""
    if not is_there():
        pytest.skip("this machine has no chromium and chromium-driver")
    with browser() as started:
        yield started


@pytest.fixture
def page(driver: Any) -> Iterator[Page]:
    """Return the page, and check in the end that its browser had nothing to complain of."""
    shown = Page(driver)
    yield shown
    complaints = shown.complaints()
    driver.get("about:blank")
    assert complaints == []


@contextmanager
def finished(*folders: Path, ports: int = 256, port: int = 0) -> Iterator[Listener]:
    """Serve the recordings of finished runs."""
    shelf = Shelf()
    for folder in folders:
        about = {"settings": {"ports": ports}, "hosts": {"10.0.0.1": "alice", "10.0.0.2": "bob"}}
        shelf.add(Finished(folder.name, f"run {folder.name}", folder / "recording.gz", about))
    with served(shelf, port) as listener:
        yield listener
