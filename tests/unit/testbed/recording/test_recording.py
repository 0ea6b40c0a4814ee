"""A recording that is written is read again as it was, up to where it was cut off; anything else is one error."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.recording import Event, Kind, Outcome, Phase, Recording, RecordingError, Refusal, Release, Text
from testbed.recording.format import MOST_TEXT, PROTOCOLS, REASONS, RECORD, TEXT, TICKS_PER_S
from testbed.recording.writer import KEPT_FREE, Writer

ADDRESSES = {1: ("gateway", "192.0.2.1"), 2: ("gateway", "192.0.2.2"), 3: ("front", "198.51.100.9")}
SUBSCRIBERS = {1: ("gateway", "10.0.0.1"), 2: ("gateway", "10.0.0.2"), 9: ("front", "10.1.0.1")}

rows = st.builds(
    lambda ticks, kind, protocol, reason, address, port, subscriber: (
        (ticks, kind, protocol | reason << 4, address, port, subscriber)
    ),
    st.integers(0, 200),
    st.sampled_from([kind for kind in Kind if kind is not Kind.TEXT]),
    st.integers(0, 2),
    st.integers(0, 5),
    st.sampled_from([1, 2, 3]),
    st.integers(1024, 1030),
    st.sampled_from([1, 2, 9]),
)
texts = st.tuples(st.integers(0, 200), st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers()))
steps = st.lists(st.one_of(rows, texts), max_size=60)


def written(entries: list[Any], *, tick: bool = False) -> bytes:
    """Return a recording with these events and texts, in this order. `tick` lets a second pass after each."""
    file = io.BytesIO()
    writer = Writer(file, {"scenario": "any"})
    writer.text(0, "table", addresses=[[index, *each] for index, each in ADDRESSES.items()])
    writer.text(0, "table", subscribers=[[index, *each] for index, each in SUBSCRIBERS.items()])
    for number, entry in enumerate(entries):
        if len(entry) == 3:
            writer.text(entry[0] / TICKS_PER_S, "phase", name=entry[1], figures=entry[2])
        else:
            writer.events(RECORD.pack(*entry))
        if tick:
            writer.tick(float(number))
    writer.end(1.0, verdict="pass")
    return file.getvalue()


def read(data: bytes, folder: Path) -> list[Event | Text]:
    """Return what a recording has behind its header."""
    path = folder / "recording.gz"
    path.write_bytes(data)
    return list(Recording.open(path))[1:]


def expected(entry: Any) -> Event | Text:
    """Return what an entry is when it is read again."""
    if len(entry) == 3:
        ticks, name, figures = entry
        return Text(ticks / TICKS_PER_S, "phase", {"kind": "phase", "name": name, "figures": figures})
    ticks, kind, detail, address, port, subscriber = entry
    reasons = {int(each): each for each in REASONS.get(kind, [])}
    gateway, external = ADDRESSES[address]
    return Event(
        ticks / TICKS_PER_S,
        kind,
        PROTOCOLS[detail & 15],
        gateway,
        external,
        port,
        SUBSCRIBERS[subscriber][1],
        reasons.get(detail >> 4),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for one recording after the other."""
    return tmp_path_factory.mktemp("recordings")


@given(steps, st.booleans())
def test_what_is_written_is_read_in_the_order_of_its_times(folder: Path, entries: list[Any], tick: bool) -> None:
    """Also if it came late, and after later things were in the file."""
    *found, end = read(written(entries, tick=tick), folder)

    assert found == sorted(map(expected, entries), key=lambda each: each.time)
    assert end == Text(1.0, "end", {"kind": "end", "verdict": "pass"})


@given(steps, st.data())
def test_a_file_that_is_cut_off_is_read_up_to_there(folder: Path, entries: list[Any], data: st.DataObject) -> None:
    """What came in order before the cut comes again, and the recording is not complete."""
    entries.sort(key=lambda entry: entry[0])
    whole = written(entries, tick=True)
    begins = len(written_header())
    cut = whole[: data.draw(st.integers(begins, len(whole) - 1))]

    found = read(cut, folder)
    recording = Recording.open(folder)

    everything = [*map(expected, entries), Text(1.0, "end", {"kind": "end", "verdict": "pass"})]
    assert found == everything[: len(found)]
    assert recording.is_complete == (len(found) == len(everything))


def written_header() -> bytes:
    """Return what is in a file as soon as the recording begins."""
    file = io.BytesIO()
    Writer(file, {"scenario": "any"})
    return file.getvalue()


def test_the_header_is_in_the_file_at_once_and_the_rest_a_second_later(tmp_path: Path) -> None:
    """What a process that is killed has written by then is there."""
    file = io.BytesIO()
    writer = Writer(file, {"scenario": "any"})
    assert read(file.getvalue(), tmp_path) == []

    writer.text(0.1, "phase", name="fill")
    writer.tick(1.1)

    assert [text.content["name"] for text in read(file.getvalue(), tmp_path) if isinstance(text, Text)] == ["fill"]


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    """The thread that writes now and then may look once more before the file is closed."""
    file = io.BytesIO()
    writer = Writer(file, {"scenario": "any"})
    writer.end(1.0, verdict="pass", error="")
    ended = file.getvalue()

    writer.tick(9.0)

    assert file.getvalue() == ended
    assert not writer.failure


def test_those_who_follow_get_what_waited_in_the_order_of_its_times() -> None:
    """Batches come from several sources, each a little late."""
    seen: list[bytes] = []
    writer = Writer(io.BytesIO(), {}, follow=seen.append)
    for batch in ([2000, 4000], [1000, 3000, 9000]):
        writer.events(b"".join(RECORD.pack(ticks, Kind.FREED, 0, 1, 1024, 1) for ticks in batch))
    writer.tick(0.75)

    rows = RECORD.iter_unpack(b"".join(seen[1:]))
    assert [row[0] for row in rows] == [1000, 2000, 3000, 4000]


@given(steps, st.integers(0, 200))
def test_the_state_at_an_instant_is_that_of_a_naive_replay(folder: Path, entries: list[Any], ticks: int) -> None:
    """Numbers of mappings by pool, of resting and held ports, of mappings by subscriber, of refusals."""
    path = folder / "recording.gz"
    path.write_bytes(written(entries))
    allocated: Counter[Any] = Counter()
    resting: Counter[Any] = Counter()
    held: Counter[Any] = Counter()
    refused: Counter[Any] = Counter()
    for entry in sorted((entry for entry in entries if len(entry) == 6), key=lambda entry: entry[0]):
        if entry[0] > ticks:
            break
        _, kind, detail, address, port, _ = entry
        place = (*ADDRESSES[address], PROTOCOLS[detail & 15], port)
        match kind:
            case Kind.ALLOCATED:
                allocated[place] += 1
            case Kind.RELEASED if allocated[place]:
                allocated[place] -= 1
                resting[place] += 1
            case Kind.HELD_DOWN if resting[place]:
                resting[place] -= 1
                held[place] += 1
            case Kind.FREED if held[place]:
                held[place] -= 1
            case Kind.FREED if resting[place]:
                resting[place] -= 1
            case Kind.REFUSED:
                refused[ADDRESSES[address][0], Refusal(detail >> 4)] += 1

    state = Recording.open(path).at(ticks / TICKS_PER_S)

    found = {(*pool, number): port for pool, ports in state.ports.items() for number, port in ports.items()}
    assert {place: port.mappings for place, port in found.items() if port.mappings} == +allocated
    assert {place: port.resting for place, port in found.items() if port.resting} == +resting
    assert {place: port.held_down for place, port in found.items() if port.held_down} == +held
    assert state.allocated() == allocated.total()
    assert state.counts()[Phase.RESTING] == resting.total()
    assert state.refusals == refused


@given(st.binary(max_size=200))
def test_bytes_that_are_no_recording_are_one_error(folder: Path, junk: bytes) -> None:
    """It names the file."""
    path = folder / "junk.gz"
    path.write_bytes(junk)

    with pytest.raises(RecordingError, match=r"junk\.gz"):
        Recording.open(path)


@given(steps, st.data())
@settings(max_examples=200)
def test_damaged_records_are_read_or_refused(folder: Path, entries: list[Any], data: st.DataObject) -> None:
    """Any byte of the records may be another: there is never any other error."""
    raw = bytearray(gzip.decompress(written(entries)))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.gz"
    path.write_bytes(gzip.compress(bytes(raw), compresslevel=1))

    with contextlib.suppress(RecordingError):
        Recording.open(path).at(1e9)


HEADER = json.dumps({"lastport_recording": 1}).encode()


def text(content: bytes, *, length: int | None = None) -> bytes:
    """Return a record with a text."""
    return TEXT.pack(0, 0, 0, len(content) if length is None else length, 0) + content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(text(b'{"lastport_recording":2}'), "lastport_recording=2", id="a later version"),
        pytest.param(text(b'{"kind":"phase"}'), "without lastport_recording", id="no header"),
        pytest.param(struct.pack("<IBBHHH", 0, 1, 0, 1, 1024, 1), "header", id="an event first"),
        pytest.param(text(HEADER) + text(b"{"), "no JSON", id="no JSON"),
        pytest.param(text(HEADER) + text(b"[" * 100_000), "no JSON", id="deep JSON"),
        pytest.param(text(HEADER) + text(b"[]"), "no JSON object", id="no object"),
        pytest.param(text(HEADER) + text(b"", length=2**32 - 1), "4,294,967,295 bytes", id="a huge text"),
        pytest.param(text(HEADER) + text(b'{"kind":"table","addresses":7}'), "table", id="no table"),
        pytest.param(
            text(HEADER) + text(b'{"kind":"table","subscribers":[[70000,"a","b"]]}'), "table", id="index"
        ),
    ],
)
def test_a_recording_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    """It is refused when it is opened."""
    path = tmp_path / "recording.gz"
    path.write_bytes(gzip.compress(content))

    with pytest.raises(RecordingError, match=says):
        Recording.open(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe that nobody writes to, a folder, and a device that never ends."""
    make(tmp_path / "recording.gz")

    with pytest.raises(RecordingError, match="is no regular file"):
        Recording.open(tmp_path)


def test_a_small_file_that_unpacks_to_a_huge_one_is_read_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it was cut off there: it uses up no more time and memory, and what came before can be seen."""
    monkeypatch.setattr("testbed.recording.reader.MOST_BYTES", 1 << 20)
    (tmp_path / "recording.gz").write_bytes(gzip.compress(text(HEADER) + bytes([1] * 12) * (1 << 17)))

    recording = Recording.open(tmp_path)

    assert not recording.is_complete
    assert 0 < sum(1 for _ in recording) <= (1 << 20) // 12


def test_a_recording_that_is_full_has_what_came_before_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is counted, also what is small enough. So the file is never one that nobody reads."""
    most = KEPT_FREE + 1200
    for each in ("reader", "writer"):
        monkeypatch.setattr(f"testbed.recording.{each}.MOST_BYTES", most)
    file = io.BytesIO()
    writer = Writer(file, {"scenario": "any"})
    for second in range(20):
        batch = b"".join(RECORD.pack(second * TICKS_PER_S, Kind.FREED, 0, 1, 1024, 1) for _ in range(10))
        writer.events(batch)
        writer.text(second, "phase", name="fill")
        writer.tick(second + 1.0)
    writer.end(20.0, verdict="pass", error="x" * (MOST_TEXT - 100))

    found = read(file.getvalue(), tmp_path)

    assert len(gzip.decompress(file.getvalue())) <= most
    assert Recording.open(tmp_path).is_complete
    kept = Counter(each.kind for each in found)
    first, last = (each.content for each in found if isinstance(each, Text) and each.kind == "missed")
    assert first == {"kind": "missed", "is_full": True, "events": 0, "texts": 0}
    assert last["events"] == 200 - kept[Kind.FREED]
    assert last["texts"] == 20 - kept["phase"]
    assert 50 < kept[Kind.FREED] < 100
    assert [each.kind for each in found[-2:]] == ["missed", "end"]


def test_a_text_that_is_too_long_is_one_that_is_missing() -> None:
    """No event is, and `lastport events` has a sentence for it."""
    seen: list[bytes] = []
    writer = Writer(None, {}, follow=seen.append)
    writer.text(0.1, "check", check="x" * MOST_TEXT)
    writer.tick(1.0)

    assert json.loads(seen[-1][TEXT.size :]) == {"kind": "missed", "events": 0, "texts": 1}


def test_what_stands_behind_the_end_is_refused(tmp_path: Path) -> None:
    """It is not what was written."""
    (tmp_path / "recording.gz").write_bytes(written([]) + b"more")

    with pytest.raises(RecordingError, match="behind the end"):
        Recording.open(tmp_path)


def test_a_kind_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    """So that a kind can be added."""
    found = read(written([(1, 200, 0, 1, 1024, 1), (2, Kind.FREED, 0, 1, 1024, 1)]), tmp_path)

    assert [each.kind for each in found] == [Kind.FREED, "end"]


class FullDisk(io.BytesIO):
    """A disk that is full after 100 bytes."""

    def write(self, data: Any, /) -> int:
        """Refuse what there is no room for."""
        if self.tell() + len(data) > 100:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_costs_the_rest_of_the_recording_and_a_sentence() -> None:
    """Nothing is raised, and what follows live still gets all."""
    seen: list[bytes] = []
    file = FullDisk()
    writer = Writer(file, {}, follow=seen.append)
    for number in range(1000):
        writer.text(number, "phase", name="fill" * number)
        writer.tick(number)
    writer.end(1000.0, verdict="pass")

    assert writer.failure == "No space left on device"
    assert b'"verdict":"pass"' in seen[-1]


def test_a_port_is_shown_in_the_state_that_counts(tmp_path: Path) -> None:
    """In use, closing, used again, resting, held down, and then free."""
    moves = [
        (Kind.ALLOCATED, 0),
        (Kind.CLOSING, 0),
        (Kind.REOPENED, 0),
        (Kind.RELEASED, Release.IDLE),
        (Kind.HELD_DOWN, 0),
        (Kind.FREED, 0),
    ]
    entries = [(at * 10_000, kind, reason << 4 | 1, 1, 1024, 2) for at, (kind, reason) in enumerate(moves)]
    (tmp_path / "recording.gz").write_bytes(written(entries))
    recording = Recording.open(tmp_path)
    pool = ("gateway", "192.0.2.1", "udp")

    ports = [recording.at(at).ports[pool] for at in range(len(moves))]

    assert [(each[1024].phase, each[1024].since) for each in ports[:-1]] == [
        ("in use", 0.0),
        ("closing", 1.0),
        ("in use", 2.0),
        ("resting", 3.0),
        ("held down", 4.0),
    ]
    assert ports[-1] == {}


def test_a_port_that_two_mappings_share_is_taken_until_both_have_ended(tmp_path: Path) -> None:
    """Toward different destinations: the gauge counts both."""
    entries = [
        (1, Kind.ALLOCATED, 0, 1, 1024, 1),
        (2, Kind.ALLOCATED, 0, 1, 1024, 2),
        (3, Kind.RELEASED, Release.CLOSED << 4, 1, 1024, 1),
    ]
    (tmp_path / "recording.gz").write_bytes(written(entries))

    state = Recording.open(tmp_path).at(1.0)

    assert state.allocated("gateway", "tcp") == 1
    assert state.counts()[Phase.RESTING] == 1
    assert state.subscribers == {("gateway", "10.0.0.2"): 1}


def test_attempts_count_by_what_their_clients_saw(tmp_path: Path) -> None:
    """The time is when a client knew, which is before anyone asked it."""
    entries = [
        (30_000, Kind.FREED, 0, 1, 1024, 1),
        (10_000, Kind.ATTEMPT, Outcome.ICMP << 4, 0, 0, 9),
        (20_000, Kind.ATTEMPT, Outcome.ESTABLISHED << 4, 1, 1024, 1),
    ]
    (tmp_path / "recording.gz").write_bytes(written(entries, tick=True))
    recording = Recording.open(tmp_path)

    assert recording.at(1.5).attempts == {"icmp": 1}
    assert recording.at(3.0).attempts == {"icmp": 1, "established": 1}
    attempt = next(each for each in recording if isinstance(each, Event))
    assert (attempt.gateway, attempt.subscriber, attempt.reason) == ("front", "10.1.0.1", Outcome.ICMP)
