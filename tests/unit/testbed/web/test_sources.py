"""What viewers get of a recording: all of it from where they were, in time, and nobody waits for them."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.recording.format import FILE
from testbed.web.listening import Listener
from testbed.web.site import Shelf
from testbed.web.sources import PIECE, Finished, Growing
from tests.support.made_recordings import write
from tests.support.webserver import TOKEN, ask, events, get, served


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a recording of several pieces."""
    return write(tmp_path_factory.mktemp("recorded"), 4096) / FILE


@pytest.fixture(scope="module")
def plain(recorded: Path) -> bytes:
    """Return the bytes of that recording."""
    return gzip.decompress(recorded.read_bytes())


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    """Return a recording that is empty so far."""
    return Growing("run", "a run", os.open(tmp_path / "growing", os.O_RDWR | os.O_CREAT | os.O_APPEND))


@given(share=st.floats(0, 1.1))
def test_a_recording_goes_on_from_any_byte(recorded: Path, plain: bytes, share: float) -> None:
    """So a stream that broke off is read to its end by another one."""
    start = int(share * len(plain))
    shelf = Shelf()
    shelf.add(Finished("run", "a run", recorded))
    assert len(plain) > 2 * PIECE

    assert all_of(shelf, "run", start) == plain[start:]


@pytest.mark.parametrize("damage", ["cut", "damaged"])
def test_a_recording_that_is_cut_off_or_damaged_is_served_up_to_there(
    recorded: Path, plain: bytes, tmp_path: Path, damage: str
) -> None:
    """As after a kill -9."""
    data = bytearray(recorded.read_bytes())
    half = len(data) // 2
    data[half:] = b"" if damage == "cut" else random.Random(1).randbytes(half)
    broken = tmp_path / FILE
    broken.write_bytes(data)
    shelf = Shelf()
    shelf.add(Finished("run", "a run", broken))

    got = all_of(shelf, "run")

    assert 1000 < len(got) < len(plain)
    assert damage == "damaged" or plain.startswith(got)


def test_a_viewer_that_comes_late_gets_what_was_before_and_what_follows(growing: Growing) -> None:
    """And its stream ends with the run."""
    shelf = Shelf()
    shelf.add(growing)
    append(growing, b"before")

    with served(shelf) as listener:
        answer = ask(listener, f"/{TOKEN}/recordings/run")
        assert answer.read(6) == b"before"
        append(growing, b"after")
        assert answer.read(5) == b"after"
        append(growing, b"the end")
        growing.is_live = False
        assert answer.read() == b"the end"
        assert get(listener, "recordings/run?from=6") == b"afterthe end"


def test_a_viewer_that_reads_nothing_holds_nobody(growing: Growing) -> None:
    """Neither the run nor another viewer, however much there is to send."""
    shelf = Shelf()
    shelf.add(growing)
    much = bytes(1 << 20)

    with served(shelf) as listener:
        slow = ask(listener, f"/{TOKEN}/recordings/run")
        for _ in range(32):
            append(growing, much)
        growing.is_live = False
        assert len(get(listener, "recordings/run")) == 32 << 20
        slow.close()


def test_a_server_that_ends_does_not_wait_for_a_viewer_that_reads_nothing(growing: Growing) -> None:
    """`served` holds that its server ends."""
    shelf = Shelf()
    shelf.add(growing)
    append(growing, bytes(32 << 20))

    with served(shelf) as listener:
        slow = ask(listener, f"/{TOKEN}/recordings/run")
    slow.close()


def test_a_viewer_has_all_of_it_when_the_server_ends_before_the_run(growing: Growing) -> None:
    """Its stream ends as one that is whole."""
    shelf = Shelf()
    shelf.add(growing)

    with served(shelf) as listener:
        answer = ask(listener, f"/{TOKEN}/recordings/run")
        append(growing, b"all of it")
        assert answer.read(3) == b"all"
    assert answer.read() == b" of it"


def test_the_list_of_recordings_tells_when_a_run_begins_and_ends(growing: Growing) -> None:
    """And that the server ends: nobody has to ask again."""
    shelf = Shelf()
    told = threading.Event()
    heard: list[tuple[str, object]] = []

    def follow(listener: Listener) -> None:
        for event in events(ask(listener, f"/{TOKEN}/recordings")):
            heard.append(event)
            told.set()

    def next_one() -> tuple[str, object]:
        assert told.wait(60)
        told.clear()
        return heard[-1]

    with served(shelf) as listener:
        thread = threading.Thread(target=follow, args=[listener])
        thread.start()
        assert next_one() == ("recordings", [])
        shelf.add(growing)
        assert next_one() == ("recordings", [{"key": "run", "title": "a run", "live": True}])
        growing.is_live = False
        assert next_one() == ("recordings", [{"key": "run", "title": "a run", "live": False}])
    thread.join(60)
    assert heard[-1] == ("over", [{"key": "run", "title": "a run", "live": False}])


def all_of(shelf: Shelf, key: str, start: int = 0) -> bytes:
    """Return what a viewer gets of a recording that is finished."""

    async def read() -> bytes:
        return b"".join([piece async for piece in shelf.sources[key].pieces(start)])

    return asyncio.run(read())


def append(growing: Growing, data: bytes) -> None:
    """Append to a recording, as the launcher does."""
    assert os.write(growing.descriptor, data) == len(data)
