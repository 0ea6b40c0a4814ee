"""A private Open vSwitch in the sandbox, at the socket where every tool looks for one."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor

RUN = Path("/run/openvswitch")
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
TUNING = {
    # Milliseconds after which an unused flow leaves the cache. Until then the cache may remember a rule that the
    # tables no longer have. The default is 10 s.
    "max-idle": "1000",
    # The most milliseconds between revalidations, by which packet counts lag behind.
    "max-revalidator": "100",
}
STARTED_WITHIN_S = 60.0


class OpenVSwitchError(Exception):
    """Open vSwitch did not start."""


def start(supervisor: Supervisor) -> None:
    """Start the database and the switch. Raises OpenVSwitchError."""
    database = RUN / "conf.db"
    remote = RUN / "db.sock"
    _run("ovsdb-tool", "create", str(database), str(SCHEMA))
    supervisor.start(
        "ovsdb-server",
        ["ovsdb-server", str(database), f"--remote=punix:{remote}", "--pidfile", "-vconsole:warn"],
        FOLDER / "ovsdb-server.log",
    )
    _wait_for(remote)
    settings = [f"other_config:{key}={value}" for key, value in TUNING.items()]
    _run("ovs-vsctl", "--no-wait", "init", "--", "set", "Open_vSwitch", ".", *settings)
    supervisor.start(
        "ovs-vswitchd",
        ["ovs-vswitchd", f"unix:{remote}", "--pidfile", "-vconsole:warn"],
        FOLDER / "ovs-vswitchd.log",
    )


def limit_cache(flows: int) -> None:
    """Limit the userspace datapath's cache to `flows` flows. The tables decide about all other packets.

    Whenever a rule changes, the switch examines its whole cache. When thousands of connections come and go, of a
    few packets each, that costs more than all its other work.
    """
    _run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", f"other_config:flow-limit={flows}")


def _wait_for(path: Path) -> None:
    """Wait until a server accepts a connection: its socket exists a moment before it listens."""
    deadline = time.monotonic() + patient(STARTED_WITHIN_S)
    with socket.socket(socket.AF_UNIX) as client:
        while client.connect_ex(str(path)):
            if time.monotonic() > deadline:
                raise OpenVSwitchError(f"ovsdb-server was not ready within {patient(STARTED_WITHIN_S):.0f} s")
            time.sleep(0.002)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(STARTED_WITHIN_S))
    if done.returncode:
        raise OpenVSwitchError(f"{command[0]} failed: {done.stderr.strip()}")
