"""A terminal in which somebody works through a lab sheet: each command as printed, where the last one left it.

The folder has links to everything in the checkout, so that it looks like one. `cd /vagrant` leads there, where a
checkout is in the virtual machine. `sudo` changes nothing: the sheets are worked through by root.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support import busy
from tests.support.paths import ROOT
from tests.support.sheets import Step, missing

WITHIN_S = 1800
"""Seconds after which a command will not end, on a machine of whatever speed."""
BEFORE = """
cd() { [ "$1" != /vagrant ] || set -- "$checkout"; command cd "$@"; }
sudo() { [ "$1" = -s ] || "$@"; }
[ ! -e "$kept.functions" ] || . "$kept.functions"
cd "$where"
%s
status=$?
pwd > "$kept"
declare -f > "$kept.functions"
exit $status
"""
LEFT_OUT = ("runs", ".git")
STATUS_OF_BUSY = 4


@dataclass(frozen=True, slots=True)
class Done:
    """A step, how it ended, and after how many seconds."""

    step: Step
    status: int
    output: str
    seconds: float

    @property
    def lacks(self) -> list[str]:
        """What was promised and not kept."""
        expected = self.step.status or 0
        ended = [f"(exit status {expected})"] if self.status != expected else []
        return missing(self.step.promises, self.output) + ended

    @property
    def is_too_busy(self) -> bool:
        """Whether the run found the machine too busy for what it saw."""
        return self.status == STATUS_OF_BUSY and busy.WORDS in self.output

    def __str__(self) -> str:
        lines = [f"{self.seconds:6.1f} s  {self.step.command}"]
        if self.lacks:
            lines += [f"          lacks: {each}" for each in self.lacks]
            lines += [f"          | {line}" for line in self.output.splitlines()]
            lines += [f"          (exit status {self.status})"]
        return "\n".join(lines)


class Session:
    """Works through steps in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        for path in ROOT.iterdir():
            if path.name not in LEFT_OUT:
                (self.checkout / path.name).symlink_to(path)
        self._kept = folder / "where"
        self._where = str(self.checkout)

    def carry_out(self, step: Step) -> Done:
        """Run a command. If the machine was too busy for what it found, run it again, alone."""
        before = self._where
        with busy.one_of_many():
            done = self._once(step)
        if done.is_too_busy:
            self._where = before
            with busy.alone():
                done = self._once(step)
        return done

    def _once(self, step: Step) -> Done:
        begun = time.monotonic()
        ended = subprocess.run(
            ["timeout", "--kill-after=20", str(WITHIN_S), "bash", "-c", BEFORE % step.command],
            env={
                **os.environ,
                "checkout": str(self.checkout),
                "where": self._where,
                "kept": str(self._kept),
                "COLUMNS": "100",
            },
            input="".join(f"{line}\n" for line in step.typed),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if self._kept.exists():
            self._where = self._kept.read_text().rstrip("\n")
        return Done(step, ended.returncode, ended.stdout, time.monotonic() - begun)
