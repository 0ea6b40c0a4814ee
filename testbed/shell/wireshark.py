"""The word `wireshark`: the packets of a host or of a side, live in Wireshark, or in a file that it can follow.

The program that captures for `--pcap` writes them. It keeps the headers of each frame.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from testbed.experiment.experiment import Experiment
from testbed.run.folder import FILE_MODE, give_to_caller
from testbed.sandbox.mounts import FOLDER
from testbed.shell import look
from testbed.shell.refused import RefusedError

READY_WITHIN_S = 10.0
MOST_FILES = 1000

_running: list[socket.socket] = []
"""A capture ends when its socket does."""


def wireshark(words: list[str], x: Experiment[Any]) -> Iterator[str]:
    """Begin to capture, and yield where the packets are to be seen."""
    names = {"inside": list(x.lab.topology.clients), "outside": list(x.lab.topology.servers)}
    if len(words) != 1 or words[0] not in (*names, *look.hosts(x)):
        raise RefusedError(f"it is wireshark with one of: {', '.join([*names, *look.hosts(x)])}")
    (which,) = words
    hosts = names.get(which, [which])
    program = shutil.which("wireshark") if os.environ.get("DISPLAY") else None
    if program is not None:
        shown = subprocess.Popen(
            [program, "-k", "-i", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert shown.stdin is not None
        _capture(hosts, shown.stdin, x)
        yield f"Wireshark shows {which}"
        return
    path, file = _opened(which)
    _capture(hosts, file, x)
    yield f"{which} is captured to {path} until the prompt ends; to follow it, in another terminal:"
    yield f"  tail -c +1 -f {path} | wireshark -k -i -"


def _opened(which: str) -> tuple[Path, IO[bytes]]:
    """Open a new file in the current folder, which the user may read."""
    for number in range(1, MOST_FILES):
        path = Path.cwd() / f"{which}-{number}.pcapng"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        except FileExistsError:
            continue
        except OSError as error:
            raise RefusedError(
                f"no capture can be written to {path.parent}: {error.strerror}; --pcap keeps both sides"
            ) from None
        give_to_caller(descriptor)
        return path, os.fdopen(descriptor, "wb")
    raise RefusedError(f"{Path.cwd()} has captures of {which} up to the number {MOST_FILES - 1}; remove some")


def _capture(hosts: list[str], file: IO[bytes], x: Experiment[Any]) -> None:
    """Start the program that captures, and wait until it sees every frame."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "testbed.traffic.capture", str(theirs.fileno()), str(file.fileno())]
    with (FOLDER / "wireshark.log").open("a") as log:
        subprocess.Popen(
            [*command, *(f"{name}:{x.lab.nodes[name].netns}" for name in hosts)],
            pass_fds=[theirs.fileno(), file.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    theirs.close()
    file.close()
    ours.settimeout(READY_WITHIN_S)
    try:
        ready = ours.recv(4096)
    except TimeoutError:
        ready = b""
    if not ready:
        raise RefusedError(f"the capture did not begin within {READY_WITHIN_S:.0f} s")
    _running.append(ours)
