"""What the shell is told: the exit statuses, and which verdict has which."""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """What the shell is told."""

    PASSED = 0
    CHECK_FAILED = 1
    WRONG_INPUT = 2
    MACHINE_LACKS = 3
    BROKE = 4


EXIT_STATUS = {"pass": ExitStatus.PASSED, "fail": ExitStatus.CHECK_FAILED, "error": ExitStatus.BROKE}
