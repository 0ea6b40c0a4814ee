"""The gateway's end of the program that reads the kernel's events of connections.

If that program does not start, or ends, the recording lacks what it would have seen, and the run goes on.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from topologies.gateways.conntrack.messages import ROOM_BYTES
from topologies.gateways.recorder import Recorder

READY_WITHIN_S = 10.0
PROGRAM = "topologies.gateways.conntrack.events"


class Listener:
    """The program of one router, by its network namespace, and the recorder that gets what it reads."""

    def __init__(
        self, recorder: Recorder, netns: str, external: Iterable[str], log: Path, *, room_bytes: int = ROOM_BYTES
    ) -> None:
        self._recorder = recorder
        self._ready = threading.Event()
        self._connection, theirs = socket.socketpair()
        addresses = [str(int(ipaddress.IPv4Address(each))) for each in external]
        plan = json.dumps(asdict(recorder.plan))
        command = ["nsenter", f"--net={netns}", sys.executable, "-P", "-m", PROGRAM, str(theirs.fileno()), plan]
        command.append(str(room_bytes))
        with theirs, log.open("w") as words:
            self._process = subprocess.Popen(
                [*command, *addresses],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_ready(self) -> None:
        """Wait until the program sees what happens from now on, but not for ever."""
        self._ready.wait(READY_WITHIN_S)

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError), self._connection.makefile("r") as lines:
            for line in lines:
                record = json.loads(line)
                if "ready" in record:
                    self._ready.set()
                else:
                    self._recorder.packed(record["events"], record["missed"], record["subscribers"])
                    self._recorder.gauges(record["gauges"], record["at"])
        self._ready.set()
        self._recorder.sample(rate=0.0, ended="the program that reads the kernel's events has ended")
