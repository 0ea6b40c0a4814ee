"""The folder that results are written to, on any filesystem, and never through a link that another user made.

A synced folder of a virtual machine may neither remove nor rename a file that is open, have no files without a
name, and have no owners. So every file is closed first, and what concerns owners may fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from testbed.recording.format import FILE
from testbed.run.results import Result

SIDES = ("inside", "outside")
"""The sides of a NAT. Each has a capture if `--pcap` asks for it."""
RESULTS = "results.json"
PLAN = "plan.json"
SWEEP = "sweep.json"
REPORT = "report.html"
RECORDING = FILE
NAT_LOG = "nat.log"
"""Who had which external port, if a gateway keeps a log; `nat-GATEWAY.log` of each of several gateways."""
LOG = "app.log"
"""What a stranger's own program, as a gateway, has printed."""
WIRING = "wiring.json"
"""What a controller outside of the sandbox has to know."""
OF_STRANGERS = {"log": LOG, "wiring": WIRING}
"""What only a run with somebody else's NAT has, by its name in the results."""
CAPTURES = {side: f"{side}.pcapng" for side in SIDES}
FILE_MODE = 0o644


class Folder:
    """The folder of a run's results. Under sudo everything in it belongs to the calling user.

    Raises FileExistsError if it is there and has to be `new`, and OSError if nothing can be written in it.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        made = [parent for parent in (path, *path.parents) if not parent.exists()]
        path.mkdir(parents=True, exist_ok=not new)
        self.path = path
        self._made = made
        self._captured: list[str] = []
        os.unlink(self._write_aside(""))  # raises now, and not after the run, if nothing can be written
        for folder in made:
            descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
            give_to_caller(descriptor)
            os.close(descriptor)

    def abandon(self) -> None:
        """Remove what was made of the folder, as far as it is empty: there will be no results."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def claim(self) -> None:
        """Keep the folder for this process, until it ends. Raises BlockingIOError if another process has it."""
        self._claim = os.open(self.path, os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._claim)
            raise
        except OSError:
            pass  # some filesystems have no locks

    def release(self) -> None:
        """Leave a folder that was claimed to other processes."""
        os.close(self._claim)

    def captures(self) -> dict[str, IO[bytes]]:
        """Make an empty file for the frames of each side, and return them open. Raises OSError if one is there."""
        made: dict[str, IO[bytes]] = {}
        for side, name in CAPTURES.items():
            made[side] = self._opened(name)
            self._captured.append(side)
        return made

    def recording(self) -> IO[bytes]:
        """Make an empty file for the recording, and return it open. Raises OSError if one is there."""
        return self._opened(RECORDING)

    def log(self) -> IO[bytes]:
        """Make an empty file for what a stranger's program prints, and return it open. Raises OSError."""
        return self._opened(LOG, os.O_APPEND)

    def _opened(self, name: str, flags: int = 0) -> IO[bytes]:
        flags |= os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path / name, flags, FILE_MODE)
        _hand_over(descriptor)
        return os.fdopen(descriptor, "wb")

    def not_recorded(self) -> None:
        """Remove the recording."""
        with contextlib.suppress(OSError):
            (self.path / RECORDING).unlink()

    def recorded(self) -> dict[str, str]:
        """Return the path of the recording. One that is empty is removed: nothing was there to record."""
        path = self.path / RECORDING
        with contextlib.suppress(OSError):
            if path.stat().st_size:
                return {"recording": str(path)}
            path.unlink()
        return {}

    def captured(self) -> dict[str, str]:
        """Return the path of each side's capture. One that is empty is removed: there was no network yet."""
        paths = {side: self.path / CAPTURES[side] for side in self._captured}
        for path in paths.values():
            with contextlib.suppress(OSError):  # the end of its program may not be over
                if not path.stat().st_size:
                    path.unlink()
        return {side: str(path) for side, path in paths.items() if path.exists() and path.stat().st_size}

    def write(self, result: Result) -> dict[str, Any]:
        """Write `results.json`, whole or not at all, and return what it holds. All other files must be closed."""
        files = {"results": str(self.path / RESULTS), "report": str(self.path / REPORT)}
        theirs = {key: self.path / name for key, name in OF_STRANGERS.items()}
        files |= {key: str(path) for key, path in theirs.items() if path.exists()}
        files |= {f"{each.stem}_log".replace("-", "_"): str(each) for each in sorted(self.path.glob("nat*.log"))}
        written = result.as_json({**files, **self.captured(), **self.recorded()})
        self.write_text(RESULTS, json.dumps(written, indent=2) + "\n")
        return written

    def write_text(self, name: str, text: str | bytes) -> None:
        """Write a file, whole or not at all."""
        aside = self._write_aside(text)
        try:
            os.replace(aside, self.path / name)
        except BaseException:  # a name that no path can have is no OSError
            os.unlink(aside)
            raise

    def write_texts(self, texts: Mapping[str, str]) -> None:
        """Write files, by their names, all of them or none. Raises OSError, and then the folder is abandoned."""
        try:
            for name, text in texts.items():
                self.write_text(name, text)
        except OSError:
            for name in texts:
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()
            self.abandon()
            raise

    def keep(self, name: str, text: str | bytes) -> str:
        """Write a file; return an empty string, or the reason why that is not possible any more."""
        try:
            self.write_text(name, text)
        except OSError as error:
            return f"{name} could not be written to {self.path}: {error.strerror}"
        return ""

    def _write_aside(self, text: str | bytes) -> str:
        """Write a new file under a temporary name, and return its path. If that fails, there is no such file."""
        descriptor, path = tempfile.mkstemp(prefix=".lastport-", dir=self.path)
        try:
            with os.fdopen(descriptor, "wb") as half:
                _hand_over(descriptor)
                half.write(text.encode(errors="backslashreplace") if isinstance(text, str) else text)
        except BaseException:
            os.unlink(path)
            raise
        return path


def give_to_caller(descriptor: int) -> None:
    """Give an open file or folder to the user who called sudo, if this process is root by sudo."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if uid and gid and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # some filesystems have no owners
            os.fchown(descriptor, int(uid), int(gid))


def _hand_over(descriptor: int) -> None:
    """Let everyone read a new file, and give it to the calling user."""
    with contextlib.suppress(OSError):  # some filesystems have no modes
        os.fchmod(descriptor, FILE_MODE)
    give_to_caller(descriptor)
