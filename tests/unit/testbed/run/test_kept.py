"""Results that are kept: any program may have written them, and none may crash or mislead the one that reads."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed.run import kept
from testbed.run.choices import Choices
from testbed.run.folder import Folder
from testbed.run.kept import NoResultsError, kept_in
from testbed.run.resolve import resolve
from tests.support.results import HELD, checks, finished

RUN = {"scenario": "port-exhaustion", "gateway": "openflow", "verdict": "pass", "duration_s": 1.5}
STARTED = {"started": "2026-01-02T03:04:05+00:00"}


def written(folder: Path, name: str, value: object) -> Path:
    """Write a file, as JSON unless it is text, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What was chosen is named."""
    run = resolve("release", "netfilter", Choices(topology="campus", sets=["ports=8"]), datapath="userspace")
    result = finished(run, *checks(HELD))
    Folder(tmp_path / "one").write(result)

    found = kept_in(tmp_path / "one")

    assert (found.kind, found.title, found.verdict) == ("run", "release on netfilter", "pass")
    assert found.words == ["topology campus", "ports=8"]
    assert found.started == result.started.replace(microsecond=0)
    assert found.duration_s == result.duration_s


def test_a_comparison_is_one_whole(tmp_path: Path) -> None:
    """The gravest verdict counts, the times are added, and a run that was impossible has none."""
    runs = [
        {**RUN, "chosen": {"ports": 8}, **STARTED},
        {**RUN, "gateway": "/x/nat.py:Mine", "verdict": "fail", "started": "2026-01-02T03:05:05+00:00"},
        {"scenario": "port-exhaustion", "gateway": "ovs-ct", "verdict": "cannot", "reason": "it is a box"},
    ]

    found = kept_in(written(tmp_path, "compare.json", {"runs": runs}))

    assert (found.kind, found.title) == ("compare", "compare port-exhaustion on openflow, nat:Mine, ovs-ct")
    assert (found.verdict, found.duration_s, found.words) == ("fail", 3.0, ["ports=8"])
    assert found.started == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_several_benches_are_one_whole(tmp_path: Path) -> None:
    """One that broke is an error of the whole."""
    written(tmp_path, "setup.json", {"bench": "setup", **STARTED, "duration_s": 2})
    written(tmp_path, "memory.json", {"bench": "memory", "error": "it broke"})

    found = kept_in(tmp_path)

    assert (found.kind, found.title, found.verdict, found.duration_s) == (
        "bench",
        "bench setup, memory",
        "error",
        2,
    )


def test_results_of_an_older_version_are_read(tmp_path: Path) -> None:
    """What they lack is taken from the file, or left out."""
    written(tmp_path, "results.json", RUN)
    os.utime(tmp_path / "results.json", (1e9, 1e9))

    found = kept_in(tmp_path)

    assert (found.started, found.words) == (datetime.fromtimestamp(1e9, UTC), [])


HOSTILE = {
    "empty": "",
    "half": '{"scenario": "port-exh',
    "a list": "[]",
    "a number": "1e999",
    "deep": "[" * 100_000,
    "deep and closed": '{"scenario": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "no UTF-8": "\udcff",
    "no verdict": json.dumps({**RUN, "verdict": None}),
    "another verdict": json.dumps({**RUN, "verdict": "\x1b[31m"}),
    "a name that is a list": json.dumps({**RUN, "scenario": []}),
    "a long name": json.dumps({**RUN, "scenario": "x" * 1_000_000}),
    "no time": json.dumps({**RUN, "started": "yesterday"}),
    "a time without a zone": json.dumps({**RUN, "started": "2026-01-02T03:04:05"}),
    "the year 1": json.dumps({**RUN, "started": "0001-01-01T00:00:00+00:00"}),
    "the year 9999": json.dumps({**RUN, "started": "9999-12-31T23:59:59+00:00"}),
    "no duration": '{"scenario": "s", "gateway": "g", "verdict": "pass", "duration_s": NaN}',
    "an infinite duration": '{"scenario": "s", "gateway": "g", "verdict": "pass", "duration_s": Infinity}',
    "a number that JSON lacks": '{"scenario": "s", "gateway": "g", "verdict": "pass", "chosen": {"x": [NaN]}}',
    "an infinite number": '{"scenario": "s", "gateway": "g", "verdict": "pass", "chosen": {"x": 1e999}}',
    "a large number": '{"scenario": "s", "gateway": "g", "verdict": "pass", "duration_s": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["results.json", "compare.json", "setup.json"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    """The reason has the file's name."""
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(NoResultsError, match=f"{name} is damaged"):
        kept_in(tmp_path)


def test_a_comparison_without_runs_is_damaged(tmp_path: Path) -> None:
    """There would be nothing to name it by."""
    with pytest.raises(NoResultsError, match="damaged"):
        kept_in(written(tmp_path, "compare.json", {"runs": []}))


@pytest.mark.parametrize("at", [-(2**40), 2**40])
def test_a_time_that_no_calendar_has_does_no_harm(at: int) -> None:
    """A file's own time may be anything on a filesystem in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        written(Path(folder), "results.json", RUN)
        os.utime(Path(folder) / "results.json", (at, at))

        assert kept_in(Path(folder)).started.astimezone()


def test_a_name_cannot_do_anything_to_a_terminal(tmp_path: Path) -> None:
    """It has no sequence that a terminal obeys."""
    found = kept_in(written(tmp_path, "results.json", {**RUN, "scenario": "a\x1b[2J", "chosen": {"k\x07": "\n"}}))

    assert (found.title, found.words) == ("a?[2J on openflow", ["k?=?"])


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without blocks takes no room on the disk, and would take it all in memory."""
    with (tmp_path / "results.json").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(NoResultsError, match="1,099,511,627,776 bytes"):
        kept_in(tmp_path)


def link_to_a_file(folder: Path, other: Path) -> None:
    """Put a link in the place of the file."""
    (folder / "results.json").symlink_to(other / "results.json")


def a_fifo(folder: Path, other: Path) -> None:
    """Put a FIFO there, whose reader would wait for ever."""
    os.mkfifo(folder / "results.json")


def a_folder(folder: Path, other: Path) -> None:
    """Put a folder there."""
    (folder / "results.json").mkdir()


@pytest.mark.parametrize("make", [link_to_a_file, a_fifo, a_folder])
def test_only_a_file_is_read(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    """A link may lead out of the folder, and what is no file may never end."""
    folder = tmp_path / "one"
    folder.mkdir()
    make(folder, written(tmp_path / "other", "results.json", RUN))

    with pytest.raises(NoResultsError, match=r"results\.json (is no file|cannot be read)"):
        kept_in(folder)


def test_a_link_to_a_folder_is_followed_only_on_request(tmp_path: Path) -> None:
    """`--out` may be a link, since the user named it."""
    (tmp_path / "link").symlink_to(written(tmp_path / "one", "results.json", RUN))

    with pytest.raises(NoResultsError, match="it is a link"):
        kept_in(tmp_path / "link")
    assert kept_in(tmp_path / "link", follow=True).verdict == "pass"


@pytest.mark.parametrize(("name", "reason"), [("none", "No such file"), ("a file", "it is no folder")])
def test_what_is_no_folder_has_no_results(tmp_path: Path, name: str, reason: str) -> None:
    """The reason says so."""
    (tmp_path / "a file").write_text("")

    with pytest.raises(NoResultsError, match=reason):
        kept_in(tmp_path / name)


def test_a_folder_without_results_has_none(tmp_path: Path) -> None:
    """Its run may be under way."""
    with pytest.raises(NoResultsError, match="no results"):
        kept_in(tmp_path)


def test_the_limit_leaves_room_for_the_largest_comparison() -> None:
    """`compare --all` writes less than half a megabyte."""
    assert kept.MOST_BYTES > 100 << 20
