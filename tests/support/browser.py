"""Debian's own Chromium, which nobody sees, driven by its own driver. Nothing is downloaded for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,800")
SCRIPT_TIMEOUT_S = 60


def is_there() -> bool:
    """Whether this machine has the browser and its driver."""
    return all(map(shutil.which, PROGRAMS))


@contextmanager
def browser() -> Iterator[Any]:
    """Start the browser for as long as the block lasts."""
    program, driver = map(shutil.which, PROGRAMS)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_script_timeout(SCRIPT_TIMEOUT_S)
    try:
        yield started
    finally:
        started.quit()
