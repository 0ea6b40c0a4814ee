"""A program that a scenario started: what it writes can be waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from testbed.experiment.started import Started
from testbed.sandbox.guarded import Guarded


@pytest.fixture
def write() -> Iterator[tuple[Started, Callable[[bytes], None]]]:
    """Return a program, and a function that writes as it does; no bytes are the end of it."""
    guard, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (output, writes), (errors, complains) = os.pipe(), os.pipe()
    started = Started("server", ["serve"], Guarded(guard), (output, errors))

    def written(data: bytes) -> None:
        os.write(writes, data) if data else os.close(writes)

    yield started, written
    os.close(complains)
    theirs.close()
    guard.close()


def test_a_text_that_comes_in_pieces_is_waited_for(write: tuple[Started, Callable[[bytes], None]]) -> None:
    """The program goes on, so what it has written so far decides."""
    started, written = write
    written(b"re")
    with pytest.raises(TimeoutError, match="did not write 'ready'"):
        started.wait_for("ready", timeout=0)
    written(b"ady")
    started.wait_for("ready", timeout=60)
    assert started.output == "ready"
    written(b"")


def test_a_program_that_ends_without_the_text_is_not_waited_for(
    write: tuple[Started, Callable[[bytes], None]],
) -> None:
    """What it wrote instead is in the error."""
    started, written = write
    written(b"in use")
    written(b"")
    with pytest.raises(ChildProcessError, match=r"server: \('serve',\) did not write 'ready': in use"):
        started.wait_for("ready", timeout=60)
