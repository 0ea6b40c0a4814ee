"""Runners for a sandbox that needs no lab: one sleeps, one sends the users of its namespace."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from testbed.sandbox.records import Channel
from testbed.sandbox.supervision import Supervisor


def sleep(job: dict[str, Any], channel: Channel, supervisor: Supervisor) -> None:
    """Sleep."""
    time.sleep(job["seconds"])


def tell_users(job: dict[str, Any], channel: Channel, supervisor: Supervisor) -> None:
    """Send the users of the namespace, as the kernel lists them."""
    channel.send("users", users=Path("/proc/self/uid_map").read_text())
    channel.send("done")
    supervisor.over()
