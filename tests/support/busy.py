"""Tests that a busy machine may spoil: each is repeated once, alone, and then skipped with its figures.

At most 2 in 100 tests may be skipped so (one, in a session of fewer), or the session fails. `one_of_many` and
`alone` hold over all workers of a session, by locks on files that these share, and that go with the session.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WORDS = "this machine was too busy"
"""How a run begins its reason if the machine was to blame, and a test why it was skipped."""
IN_100 = 2
LOCKS = "_LASTPORT_TESTS_LOCKS"
"""The variable by which the workers of a session find the folder of its locks."""


def allowed(tests: int) -> int:
    """Return how many of these tests may be skipped since the machine was too busy."""
    return max(1, tests * IN_100 // 100)


@contextmanager
def one_of_many() -> Iterator[None]:
    """Wait until no other test wants to be alone, and keep others from being alone meanwhile."""
    with _locked("turn", fcntl.LOCK_EX):
        lab = _lock("lab", fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(lab)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other test of this session has a lab, and keep others from starting one."""
    with _locked("turn", fcntl.LOCK_EX), _locked("lab", fcntl.LOCK_EX):
        yield


def skip(reason: str) -> None:
    """Skip the test that calls this. The reason has the figures."""
    pytest.skip(reason)


class Count:
    """The tests of a session, and those that were skipped since the machine was too busy."""

    def __init__(self) -> None:
        self.tests = 0
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test when it was called, or skipped before."""
        self.tests += report.when == "call" or report.skipped
        if report.skipped and WORDS in str(report.longrepr):
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session if too many were skipped."""
        if len(self.skipped) > allowed(self.tests):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print how many were skipped, and of how many that is too much."""
        if self.skipped:
            terminalreporter.write_line(
                f"{len(self.skipped)} of {self.tests} tests were skipped since the machine was too busy; "
                f"{allowed(self.tests)} may be"
            )


def pytest_configure(config: pytest.Config) -> None:
    """Count the tests of the whole session, in the process that hears of all of them; it has the locks as well."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Count(), "too-busy")
        locks = tempfile.TemporaryDirectory(prefix="lastport-tests-")
        os.environ[LOCKS] = locks.name
        config.add_cleanup(locks.cleanup)


@contextmanager
def _locked(name: str, kind: int) -> Iterator[None]:
    descriptor = _lock(name, kind)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(name: str, kind: int) -> int:
    """Return a descriptor that holds a lock of this session, which its closing gives up."""
    descriptor = os.open(Path(os.environ[LOCKS], name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, kind)
    return descriptor
