"""The captures of a run, for reading in Wireshark: `--pcap` keeps the frames of the inside and of the outside.

They decide nothing, and need not be complete. The frames that the kernel could not hand over in time are counted
and reported. Without `--pcap` nothing of this exists.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor

ANSWER_WITHIN_S = 60.0


class CaptureError(Exception):
    """A capture did not answer in time."""


class Captures:
    """The captures of the sides for which there is an open file. Within its `with` block, frames are kept.

    Keep it until the lab ends: the end of a capture's program is the end of the run.
    """

    def __init__(self, files: dict[str, int], lab: Lab, supervisor: Supervisor, report: Report) -> None:
        hosts = {"inside": lab.clients, "outside": lab.servers}
        self._report = report
        self._running = {side: _Running(side, hosts[side], file, supervisor) for side, file in files.items()}

    def __enter__(self) -> None:
        """Wait until the captures see every frame."""
        for capture in self._running.values():
            capture.answer()

    def __exit__(self, *_: object) -> None:
        """Complete the files, and report the number of frames that each has and lacks."""
        if self._running:
            told = {side: capture.finish() for side, capture in self._running.items()}
            self._report.series(capture=told)


class _Running:
    """The program that captures one side. It runs as long as the lab does."""

    def __init__(self, side: str, hosts: list[Any], file: int, supervisor: Supervisor) -> None:
        self._connection, theirs = socket.socketpair()
        self._name = f"capture-{side}"
        self._lines = self._connection.makefile("r")
        command = [sys.executable, "-P", "-m", "testbed.traffic.capture", str(theirs.fileno()), str(file)]
        supervisor.start(
            self._name,
            [*command, *(f"{host.name}:{host.netns}" for host in hosts)],
            FOLDER / f"{self._name}.log",
            pass_fds=[theirs.fileno(), file],
        )
        theirs.close()
        os.close(file)

    def answer(self) -> dict[str, Any]:
        """Return the program's answer. Raises CaptureError if none comes in time."""
        self._connection.settimeout(patient(ANSWER_WITHIN_S))
        try:
            line = self._lines.readline()
        except TimeoutError:
            line = ""
        if not line:
            raise CaptureError(f"{self._name} did not answer within {patient(ANSWER_WITHIN_S):.0f} s")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def finish(self) -> dict[str, int]:
        """Have it write all frames so far, and return the number of them, and of those that it lacks."""
        self._connection.sendall(json.dumps({"do": "finish"}).encode() + b"\n")
        return self.answer()
