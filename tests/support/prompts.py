"""A shell with job control in a terminal of its own, at which a test types: for prompts."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.support.paths import ROOT
from tests.support.processes import awaited

DEADLINE_S = 600


class Terminal:
    """A shell with job control in a terminal of its own, at which a test types."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.shell = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"],
            cwd=ROOT,
            env={**os.environ, "PS1": "shell> ", "TERM": "dumb", "HISTFILE": ""},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self._seen = ""

    def type(self, keys: str) -> None:
        """Type these keys; what has been printed by now is no longer awaited."""
        self._read()
        self._seen = ""
        os.write(self._ours, keys.encode())

    def shows(self, words: str) -> str:
        """Wait until these words are printed after the last keys, and return all that was."""
        awaited(lambda: words in self._read(), f"{words!r} in the terminal")
        return self._seen

    def asks(self, line: str, answer: str) -> None:
        """Type a line at Mininet's prompt; wait for the answer, and for the next prompt.

        What is typed before that goes to the host's command.
        """
        self.type(f"{line}\n")
        self.shows(answer)
        self.shows("mininet> ")

    def close(self) -> None:
        """Hang up."""
        os.close(self._ours)
        self.shell.kill()
        self.shell.wait(DEADLINE_S)

    def _read(self) -> str:
        try:
            while part := os.read(self._ours, 65536):
                self._seen += part.decode(errors="replace")
        except BlockingIOError:
            pass
        return self._seen
