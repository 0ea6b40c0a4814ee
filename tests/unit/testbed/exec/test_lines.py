"""The lines of several programs on one output."""

from __future__ import annotations

import os
import threading

from testbed.exec.lines import MOST_IN_LINE, Lines, write_all


def lines_of(*written: tuple[str, bytes]) -> bytes:
    """Return what becomes of what programs have written, each with its name."""
    ours, theirs = os.pipe()
    lines = Lines(theirs, lambda error: None)
    for name, text in written:
        pipe = lines.pipe(name)
        os.write(pipe, text)
        os.close(pipe)
        lines.wait()
    os.close(theirs)
    with os.fdopen(ours, "rb") as read:
        return read.read()


def test_each_line_has_its_name() -> None:
    """The last one as well, which may have no end."""
    assert lines_of(("alice", b"one\ntwo"), ("bob", b"\n\xff\n")) == b"alice: one\nalice: two\nbob: \nbob: \xff\n"


def test_a_line_without_an_end_is_parted() -> None:
    """It takes no memory without limit."""
    pieces = lines_of(("a", b"x" * (MOST_IN_LINE // 2)))

    assert pieces == b"a: " + b"x" * (MOST_IN_LINE // 2) + b"\n"


def test_an_output_that_nobody_reads_is_reported_once() -> None:
    """The rest is read all the same, so that no program waits for ever."""
    ours, theirs = os.pipe()
    os.close(ours)
    errors: list[OSError] = []
    lines = Lines(theirs, errors.append)
    pipe = lines.pipe("alice")
    for _ in range(3):
        os.write(pipe, b"line\n")
    os.close(pipe)
    lines.wait()
    os.close(theirs)

    assert [type(error) for error in errors] == [BrokenPipeError]


def test_all_is_written_to_a_file_that_never_waits() -> None:
    """Standard output may be one, since other processes have it as well."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    writing = threading.Thread(target=lambda: (write_all(theirs, b"x" * 300_000), os.close(theirs)))
    writing.start()
    with os.fdopen(ours, "rb") as read:
        text = read.read()
    writing.join()

    assert len(text) == 300_000
