"""Starting a sandbox from outside, and reading its records until it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from testbed.sandbox import walls
from testbed.sandbox.deaths import LAST_WORDS_BYTES, in_words
from testbed.sandbox.linux import die_with_parent
from testbed.sandbox.slowness import patient

NAMESPACES = [
    *("--net", "--mount", "--pid", "--ipc", "--uts"),
    *("--fork", "--kill-child", "--propagation", "unchanged"),
]
LAST = ("done", "broken")
"""The kinds of the last record."""
ENDED_WITHIN_S = 10.0
MOST_RECORDED = 256 << 20
"""The most bytes of all records of a run."""


@dataclass(frozen=True, slots=True)
class Walled:
    """How a stranger's code is walled in: what it sees, what it may use, and for how many seconds."""

    shown: list[Path]
    files: list[Path]
    limits: walls.Limits
    within_s: float

    def build(self) -> None:
        """Build the walls, in the process that is about to become the sandbox. If that fails, it prints why."""
        try:
            walls.build(self.shown, self.files, self.limits)
            die_with_parent()
        except (walls.WallsError, OSError) as error:
            os.write(2, str(error).encode())
            os._exit(1)


class HasFileno(Protocol):
    """Something open: a file, or a socket."""

    def fileno(self) -> int:
        """Return its descriptor."""


class MachineError(Exception):
    """The machine lacks something: the message is what it lacks, and what to do about it."""


def unshare(*, as_root: bool) -> list[str]:
    """Return the command that makes the namespaces; without root it makes a user namespace as well."""
    return ["unshare", *([] if as_root else ["--user", "--map-root-user"]), *NAMESPACES]


def enter(
    job: dict[str, Any],
    runner: str,
    *,
    files: Mapping[str, HasFileno] | None = None,
    on_terminal: bool = False,
    walled: Walled | None = None,
) -> Iterator[dict[str, Any]]:
    """Hand `job` to the runner, `package.module:function`, in a new sandbox, and yield its records.

    The first record, `entered`, means that there is a process to end. Raises MachineError if the sandbox cannot be
    made.

    `files` are open, such as those for the frames of each side. The sandbox gets the open files and not their
    paths, so that another file put in their place cannot mislead it.

    `on_terminal` gives the sandbox this process's own standard input, output and error, and leaves it in the
    terminal's foreground: its Ctrl-C and Ctrl-Z then go to the sandbox's processes as well as to this one.

    `walled` puts all of it behind walls, for a stranger's code.

    This ends by the last record, by closing the generator, or by the death of this process. In each case nothing
    of the sandbox runs any more.
    """
    ours, theirs = socket.socketpair()
    descriptors = {name: file.fileno() for name, file in (files or {}).items()}
    with tempfile.TemporaryFile() as words, ours:
        command = [
            *unshare(as_root=walled is not None or os.geteuid() == 0),
            *[sys.executable, "-P", "-m", "testbed.sandbox.init", str(theirs.fileno()), runner],
        ]
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno(), *descriptors.values()],
            stdin=None if on_terminal else subprocess.DEVNULL,
            stdout=None if on_terminal else words,
            stderr=None if on_terminal else words,
            # Without the terminal, Ctrl-C goes to this process alone: the sandbox ends because this process does.
            start_new_session=not on_terminal,
            preexec_fn=die_with_parent if walled is None else walled.build,
        )
        theirs.close()
        try:
            yield {"kind": "entered"}
            started, is_ours = False, True  # no code but our own runs until the sandbox is ready
            facts = {"files": descriptors, "on_terminal": on_terminal, "is_walled": walled is not None}
            for record in _records(ours, {**job, **facts}, within_s=walled.within_s if walled else None):
                started = True
                if record["kind"] == "unable" and is_ours:
                    raise MachineError(record["reason"])
                is_ours = is_ours and record["kind"] == "begun"
                yield record
                if record["kind"] in LAST:
                    return  # without waiting while the kernel frees a switch's thousand sockets, one by one
            yield _ended(process, words, started=started)
        finally:
            process.kill()
            process.wait()
            ours.settimeout(patient(ENDED_WITHIN_S))
            with contextlib.suppress(OSError):
                while ours.recv(65536):
                    pass  # the stream ends when the kernel has ended every process of the sandbox


def _ended(process: subprocess.Popen[bytes], words: IO[bytes], *, started: bool) -> dict[str, Any]:
    """Return the record about a sandbox that ended without one. Raises MachineError if it was never there."""
    try:
        status = process.wait(patient(ENDED_WITHIN_S))
    except subprocess.TimeoutExpired:
        status = None
    words.seek(0)
    last_words = words.read()[-LAST_WORDS_BYTES:].decode(errors="replace").strip()
    if not started and status is not None and status > 0:
        raise MachineError(f"the sandbox did not start: {last_words}")
    how = "does not end" if status is None else in_words(status << 8 if status >= 0 else -status)
    if status is not None and status > 0 and "Traceback" not in last_words:
        how = "was killed"  # unshare has a status for that, and some versions have no other
    return {"kind": "broken", "reason": f"the sandbox's first process {how}", "last_words": last_words}


def _records(
    connection: socket.socket, job: dict[str, Any], *, within_s: float | None
) -> Iterator[dict[str, Any]]:
    """Yield the records of the sandbox. What is none, or too much, or takes longer than it may, ends them."""
    deadline = None if within_s is None else time.monotonic() + within_s
    unread, total = bytearray(), 0
    # The sandbox may end before it reads its job.
    with contextlib.suppress(ConnectionError):
        connection.sendall(json.dumps(job).encode() + b"\n")
        while True:
            try:
                connection.settimeout(deadline and max(deadline - time.monotonic(), 0.001))
                part = connection.recv(1 << 20)
            except TimeoutError:
                yield _gave_up(
                    f"it took longer than {within_s:g} s, which is all that a file of one's own may take"
                )
                return
            total += len(part)
            if not part or total > MOST_RECORDED:
                break
            unread += part
            if b"\n" in part:
                *lines, unread = unread.split(b"\n")
                yield from filter(None, map(_record, lines))
    if total > MOST_RECORDED:
        yield _gave_up(f"it reported more than {MOST_RECORDED >> 20} MiB")


def _record(line: bytearray) -> dict[str, Any] | None:
    """Return the record in a line, or None for what a process that was killed left, or a stranger wrote."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "kind" in record else None


def _gave_up(reason: str) -> dict[str, Any]:
    return {"kind": "broken", "reason": reason, "last_words": ""}
