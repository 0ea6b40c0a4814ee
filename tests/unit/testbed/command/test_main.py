"""The command line as a program of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

INTERRUPTS = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0)\nraise SystemExit(7)\n"
"""A module at whose import the user presses Ctrl-C. Where that is ignored, the program ends with status 7."""


@pytest.mark.parametrize(("ignored", "status"), [(False, -signal.SIGINT), (True, 7)], ids=["heeded", "ignored"])
def test_ctrl_c_while_the_program_is_loaded_ends_it_without_a_word(
    tmp_path: Path, ignored: bool, status: int
) -> None:
    """Where the program was started so that it ignores Ctrl-C, as by nohup, it goes on."""
    (tmp_path / "typer.py").write_text(INTERRUPTS)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "testbed.command", "list"],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)

    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def ended(arguments: tuple[str, ...], stdout: Any, **how: Any) -> tuple[int, str]:
    """Run the program with this standard output; return its status, and what it wrote on standard error."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "testbed.command", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **how.pop("variables", {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **how,
    )
    return done.returncode, done.stderr


OUTPUTS = [("list",), ("list", "--json"), ("-h",), ("run", "-h"), ("runs",), ("show", "cgn"), ("--version",)]


@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_a_full_standard_output_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """It is no fault of lastport's, and the result was not printed."""
    with Path("/dev/full").open("w") as full:
        told = ended(arguments, full, cwd=tmp_path)

    assert told == (3, "lastport: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_a_pipe_that_nobody_reads_ends_the_program_quietly(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """With the status that a shell shows for other programs, and not with that of a failed check."""
    unread, pipe = os.pipe()
    os.close(unread)

    assert ended(arguments, pipe, cwd=tmp_path) == (128 + signal.SIGPIPE, "")
    os.close(pipe)


@pytest.mark.parametrize(
    ("arguments", "redirected", "status", "said"),
    [
        (("list",), ">&-", 3, "lastport: standard output cannot be written: Bad file descriptor\n"),
        (("list",), ">/dev/null 2>&-", 0, ""),
        (("list",), "</dev/null >/dev/null 2>/dev/full", 0, ""),
        (("run", "nothing"), "2>/dev/full", 2, ""),
        (("run", "nothing"), "2>&-", 2, ""),
        (("run", "nothing"), "<&- >&- 2>&-", 2, ""),
    ],
)
def test_a_standard_file_that_is_closed_or_full_changes_no_other_status(
    arguments: tuple[str, ...], redirected: str, status: int, said: str, tmp_path: Path
) -> None:
    """No file that is opened later takes its place."""
    program = [sys.executable, "-P", "-m", "testbed.command", *arguments]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


def test_a_fault_of_lastport_is_none_of_the_user_s_program(tmp_path: Path) -> None:
    """It has the status of every other failure of lastport itself, and a sentence below the traceback."""
    (tmp_path / "tty.py").write_text("raise RuntimeError('as if it were broken')")
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with Path(os.devnull).open("w") as nothing:
        status, said = ended(("exec", "--", "true"), nothing, cwd=tmp_path, variables=path)

    assert status == 125
    assert said.endswith("lastport: this is a fault of lastport itself; please report the lines above\n")


def test_a_completion_that_cannot_be_written_has_no_traceback(tmp_path: Path) -> None:
    """Of the interpreter's last flush either."""
    with Path("/dev/full").open("w") as full:
        _, said = ended((), full, cwd=tmp_path, variables={"_LASTPORT_COMPLETE": "lastport r"})

    assert said == "lastport: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_a_path_that_is_no_utf_8_is_printed(tmp_path: Path, locale: str) -> None:
    """With another sign for each byte that has none."""
    folder = os.fsdecode(b"d\xff")
    (tmp_path / folder).mkdir()
    with (tmp_path / "printed").open("w") as file:
        assert ended(("runs", folder), file, cwd=tmp_path, variables={"LC_ALL": locale}) == (0, "")

    shown = (tmp_path / "printed").read_bytes()
    assert shown.startswith({"C.UTF-8": b"No results in d\\udcff/", "C": b"No results in d?/"}[locale])
