"""What all tests share: the programs that they start find this checkout, and the profiles of Hypothesis.

By default every run tries the same examples and keeps none. `--hypothesis-profile=explore` tries others, and more.
"""

from __future__ import annotations

import heapq
import itertools
import math
import operator
import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from controller.settings.declared import ask_by
from testbed.sandbox import slowness
from tests.support.paths import ROOT

pytest_plugins = ["tests.support.busy"]

LABS = ROOT / "tests" / "emulation"

os.environ["PYTHONPATH"] = str(ROOT)

if "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:
    # It writes more than its database: not into the checkout, and gone with this process.
    _notes = tempfile.TemporaryDirectory(prefix="lastport-hypothesis-")
    set_hypothesis_home_dir(_notes.name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the tests that are worth more than a test run has time for."""
    parser.addoption("--sheets", action="store_true", help="work through the lab sheets, and nothing else")
    parser.addoption("--student", help="with --sheets: whose numbers, instead of the sheet's own")
    parser.addoption("--kills", type=int, default=3, help="how many processes of runs are killed or stopped")
    parser.addoption("--kills-from", type=int, default=1, help="the first of their seeds")
    parser.addoption("--kills-within", type=float, default=4.0, help="the seconds in which they are")


def pytest_configure(config: pytest.Config) -> None:
    """Select the lab sheets, if they are asked for."""
    if config.option.sheets:
        config.option.markexpr = "sheets"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files with tests that build labs evenly: those mostly wait, while others compute."""
    labs = [each for each in items if LABS in each.path.parents]
    others = [each for each in items if LABS not in each.path.parents]
    files = heapq.merge(_placed(labs), _placed(others), key=operator.itemgetter(0))
    items[:] = [item for _, file in files for item in file]


def _placed(tests: list[pytest.Item]) -> Iterator[tuple[float, list[pytest.Item]]]:
    """Yield the tests of each file with the share of all these tests that is before them."""
    before = 0
    for _, file in itertools.groupby(tests, key=lambda each: each.path):
        placed = [*file]
        yield before / len(tests), placed
        before += len(placed)


def pytest_runtest_setup() -> None:
    """Forget that the test before was a command, which executes no class of a stranger's."""
    ask_by(None)


@pytest.fixture
def usual_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the limits of time that a usual machine has, however slow this one is: for tests that know them."""
    measured = slowness.slowness
    measured.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(slowness, "USUAL_S", math.inf)
        assert measured() == 1.0
    yield
    measured.cache_clear()


settings.register_profile(
    "lastport",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault
)
settings.register_profile("explore", settings.get_profile("lastport"), derandomize=False, max_examples=1000)
settings.load_profile("lastport")
