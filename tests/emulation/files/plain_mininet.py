"""A program that runs `lastport mn` beside an Open vSwitch service, and prints as JSON what is left after it.

It is started as the first process of new network, mount and PID namespaces.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from testbed.sandbox import mounts, openvswitch
from testbed.sandbox.linux import prepare_network
from testbed.sandbox.supervision import Supervisor

COMMAND = [sys.executable, "-P", "-c", "from testbed.command.cli import main; main()", "mn"]


def main() -> None:
    """Prepare the namespaces, run the command, and print what it has left."""
    mounts.prepare()
    prepare_network()
    nobody, _ = ends = socket.socketpair()
    openvswitch.start(Supervisor(nobody))
    ran = subprocess.run([*COMMAND, *sys.argv[1:]], stdin=sys.stdin, capture_output=True, text=True, check=False)
    bridges = subprocess.run(["ovs-vsctl", "list-br"], capture_output=True, text=True, check=True)
    commands = [
        path.read_bytes().replace(b"\0", b" ").decode().strip() for path in Path("/proc").glob("[0-9]*/cmdline")
    ]
    left = {
        "status": ran.returncode,
        "output": ran.stdout + ran.stderr,
        "bridges": bridges.stdout.split(),
        "processes": [command for command in commands if "controller" in command or "mininet:" in command],
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "folders": [str(path) for path in mounts.FOLDER.glob("lastport-*")],
    }
    print(json.dumps(left))
    del ends


main()
