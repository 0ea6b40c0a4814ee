"""The user's end of a prompt: bytes between two terminals, each of them a real one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.run.conversation import ERRORS, FILES, IN, OUT, AtTerminal, Conversation, conversation
from tests.support.processes import awaited

SIZE = struct.pack("HHHH", 33, 99, 0, 0)
BEGINS, ENDS = {"kind": "prompt"}, {"kind": "prompt_ended"}


class User:
    """A user at a terminal, which is this process's standard input and output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, SIZE)
        os.set_blocking(self.end, False)
        self.terminal = os.fdopen(theirs, "rb+", buffering=0)
        self._monkeypatch = monkeypatch
        self._seen = b""

    def talks(self) -> contextlib.AbstractContextManager[Conversation]:
        """Begin a conversation. Only now, since pytest has standard output of its own for each part of a test."""
        for name in ("stdin", "stdout", "stderr"):
            self._monkeypatch.setattr(f"sys.{name}", self.terminal)
        return conversation()

    def sees(self, text: bytes) -> None:
        """Wait until this is on the screen."""

        def look() -> bool:
            with contextlib.suppress(BlockingIOError):
                self._seen += os.read(self.end, 4096)
            return text in self._seen

        awaited(look, f"{text!r} on the screen")

    @property
    def modes(self) -> list[Any]:
        """How the terminal handles what is typed."""
        return termios.tcgetattr(self.terminal)


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    """Return a user at a terminal."""
    user = User(monkeypatch)
    yield user
    user.terminal.close()
    os.close(user.end)


def test_what_is_typed_goes_in_and_what_is_printed_comes_out_while_the_prompt_lasts(user: User) -> None:
    """Before and after that, the user's terminal is as it was."""
    before = user.modes
    with user.talks() as held:
        assert isinstance(held, AtTerminal)
        assert user.modes == before
        held.see(BEGINS)
        os.write(held.files[OUT].fileno(), b"mininet> ")
        user.sees(b"mininet> ")
        os.write(user.end, b"nodes\r")
        assert os.read(held.files[IN].fileno(), 100) == b"nodes\n"

        os.write(held.files[ERRORS].fileno(), b"the last word\n")
        held.see(ENDS)

        user.sees(b"the last word")
        assert user.modes == before


def test_ctrl_c_is_a_byte_for_the_prompt_s_terminal_and_no_signal_for_this_process(user: User) -> None:
    """The prompt's terminal has the same keys, and is as large."""
    with user.talks() as held:
        inside = held.files[IN].fileno()
        assert fcntl.ioctl(inside, termios.TIOCGWINSZ, bytes(8)) == SIZE
        held.see(BEGINS)
        modes = termios.tcgetattr(inside)
        termios.tcsetattr(inside, termios.TCSANOW, [*modes[:3], modes[3] & ~termios.ISIG, *modes[4:]])

        os.write(user.end, b"\x03\r")

        assert os.read(inside, 100) == b"\x03\n"


def test_a_conversation_that_breaks_off_gives_the_terminal_back(user: User) -> None:
    """Whatever was raised while the prompt was open."""
    before = user.modes

    def break_off() -> None:
        with user.talks() as held:
            held.see(BEGINS)
            raise KeyError

    with pytest.raises(KeyError):
        break_off()

    assert user.modes == before


def test_without_a_terminal_the_prompt_has_the_files_themselves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A script is read, and answers are written, as any program does it."""
    (tmp_path / "script").write_text("nodes\n")
    with (tmp_path / "script").open() as script, (tmp_path / "answers").open("w") as answers:
        for name, file in (("stdin", script), ("stdout", answers), ("stderr", answers)):
            monkeypatch.setattr(f"sys.{name}", file)
        with conversation() as held:
            assert type(held) is Conversation
            assert set(held.files) == set(FILES)
            held.see(BEGINS)
            assert os.read(held.files[IN].fileno(), 100) == b"nodes\n"
            os.write(held.files[OUT].fileno(), b"alice\n")
            held.see(ENDS)

    assert (tmp_path / "answers").read_text() == "alice\n"
