"""Reports in a browser: of a run, of a comparison and of benches, in any window, in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import WINDOWS, Page
from tests.unit.testbed.report.test_page import PAGES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["run", "comparison", "bench", "hostile run"])
def test_a_report_fits_any_window(page: Page, tmp_path: Path, kind: str, theme: str) -> None:
    """It is accessible, and what is wider than the window can be moved by the keyboard."""
    (tmp_path / "report.html").write_text(PAGES[kind](), errors="replace")
    for window in WINDOWS:
        with page.dressed(*window, theme):
            page.driver.get((tmp_path / "report.html").as_uri())
            assert (window, page.too_wide()) == (window, 0)
            assert (window, page.inaccessible()) == (window, [])


def test_a_wide_table_is_moved_by_the_keyboard(page: Page, tmp_path: Path) -> None:
    """The tabulator key leads to it, and the arrow keys move it."""
    (tmp_path / "report.html").write_text(PAGES["run"]())
    with page.dressed(320, 640, "light"):
        page.driver.get((tmp_path / "report.html").as_uri())
        is_wide = "document.activeElement.scrollWidth > document.activeElement.clientWidth"
        page.driver.find_element("tag name", "body").send_keys(Keys.TAB)
        for _ in range(100):
            if page.ask(f"document.activeElement.className === 'wide' && {is_wide}"):
                break
            page.press(Keys.TAB)
        page.press(Keys.ARROW_RIGHT)
        page.until("document.activeElement.scrollLeft > 0")
