"""The exit statuses that the command returns to the shell, and the status of each verdict."""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """The status that the command returns to the shell. A higher one is graver."""

    PASSED = 0
    """Every check held."""
    CHECK_FAILED = 1
    """A check failed."""
    WRONG_INPUT = 2
    """The command or the configuration is wrong."""
    MACHINE_LACKS = 3
    """This machine cannot run it."""
    BROKE = 4
    """The run itself broke."""


EXIT_STATUS = {"pass": ExitStatus.PASSED, "fail": ExitStatus.CHECK_FAILED, "error": ExitStatus.BROKE}
