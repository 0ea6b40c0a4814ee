"""The result of a run: its verdict, its object, and its file."""

from __future__ import annotations

import json
import os
import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.results import Folder, Result, default_folder

KEYS = [
    *("schema", "scenario", "gateway", "profile", "topology", "parameters", "seed", "verdict", "started"),
    *("duration_s", "environment", "checks", "outcomes", "counters", "series", "files"),
]
HELD = {"claim": "it holds", "expected": 1, "observed": 1, "ok": True, "source": "RFC 4787 REQ-1"}
FAILED = {"claim": "it fails", "expected": 1, "observed": 2, "ok": False, "source": "RFC 4787 REQ-3"}


@pytest.fixture(scope="module")
def run() -> Run:
    """The run `port-exhaustion` with its defaults."""
    return resolve("port-exhaustion", "openflow", Choices(topology="home", seed=7), datapath="userspace")


def finished(run: Run, *records: dict[str, Any], done: bool = True) -> Result:
    """Return the result of a run that told these records."""
    result = Result(run)
    for record in (*records, *([{"kind": "done"}] if done else [])):
        result.take(record)
    result.finish()
    return result


def checks(*all_of_them: dict[str, object]) -> list[dict[str, Any]]:
    """Return the records of checks."""
    return [{"kind": "check", "check": check} for check in all_of_them]


# Verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (checks(HELD, HELD), "pass"),
        (checks(HELD, FAILED, HELD), "fail"),
        ([], "error"),
        ([*checks(HELD), {"kind": "broken", "reason": "the controller ended", "last_words": ""}], "error"),
        ([*checks(FAILED), {"kind": "broken", "reason": "the controller ended", "last_words": ""}], "error"),
    ],
    ids=["all hold", "one fails", "no check", "broken after success", "broken after failure"],
)
def test_the_verdict_follows_from_the_checks(run: Run, told: list[dict[str, Any]], verdict: str) -> None:
    """A run that broke has shown nothing, and neither has one without checks."""
    assert finished(run, *told).verdict == verdict


def test_a_run_that_ends_without_saying_so_broke(run: Run) -> None:
    """It broke whatever it had shown by then."""
    result = finished(run, *checks(HELD), done=False)

    assert result.verdict == "error"
    assert result.error == "the run ended before its time"


def test_the_first_reason_counts(run: Run) -> None:
    """Later reasons follow from the first one."""
    broken = [
        {"kind": "broken", "reason": reason, "last_words": words} for reason, words in (("a", "x"), ("b", "y"))
    ]

    result = finished(run, *broken, done=False)

    assert (result.error, result.last_words) == ("a", "x")


# The object


def test_the_object_has_exactly_the_keys_of_the_contract(run: Run) -> None:
    """Other programs read these keys."""
    result = finished(run, *checks(HELD)).as_json({"results": "results.json"})

    assert list(result) == KEYS
    assert result["schema"] == 1
    assert (result["scenario"], result["gateway"], result["profile"]) == ("port-exhaustion", "openflow", "plain")
    assert result["seed"] == 7
    assert result["parameters"]["ports"] == 256
    assert datetime.fromisoformat(result["started"]).tzinfo is not None


def test_a_run_that_broke_has_its_reason(run: Run) -> None:
    """The object has two keys more, and partial results are kept."""
    broken = {"kind": "broken", "reason": "the controller ended with status 1", "last_words": "Traceback"}

    result = finished(run, *checks(HELD), broken, done=False).as_json({})

    assert list(result) == [*KEYS, "error", "last_words"]
    assert (result["verdict"], result["error"]) == ("error", "the controller ended with status 1")
    assert result["checks"] == [HELD]


def test_what_the_sandbox_tells_is_gathered(run: Run) -> None:
    """Later records add to earlier ones; what is shown live leaves no trace."""
    result = finished(
        run,
        {"kind": "environment", "environment": {"kernel": "6.1"}},
        {"kind": "environment", "environment": {"framework": "ryu 4.34"}},
        {"kind": "phase", "name": "fill"},
        {"kind": "progress", "done": 1, "total": 2},
        {"kind": "outcomes", "outcomes": {"established": 3}},
        {"kind": "counters", "counters": {"ports_allocated": 3, "total_sessions": None}},
        {"kind": "series", "series": {"phases": [1]}},
        {"kind": "series", "series": {"fill": [2]}},
        {"kind": "story", "text": "Once upon a time."},
        *checks(HELD, FAILED),
    )

    told = result.as_json({})
    assert told["environment"] == {"kernel": "6.1", "framework": "ryu 4.34"}
    assert told["outcomes"] == {
        **dict.fromkeys(("leaked", "shared", "evicted", "held", "timeout", "icmp", "reset"), 0),
        "established": 3,
    }
    assert told["counters"] == {"ports_allocated": 3, "total_sessions": None}
    assert told["series"] == {"phases": [1], "fill": [2]}
    assert told["checks"] == [HELD, FAILED]
    assert result.story == "Once upon a time."


# The file


def test_the_file_holds_what_is_printed(run: Run, tmp_path: Path) -> None:
    """Its folder is made if need be."""
    folder = Folder(tmp_path / "a" / "b")

    written = folder.write(finished(run, *checks(HELD)))

    file = tmp_path / "a" / "b" / "results.json"
    assert json.loads(file.read_text()) == written
    assert written["files"] == {"results": str(file)}
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]


def test_a_half_written_file_is_never_seen(run: Run, tmp_path: Path) -> None:
    """The file that was there stays until the new one is complete."""
    folder = Folder(tmp_path)
    folder.write(finished(run, *checks(HELD)))
    before = (tmp_path / "results.json").read_text()
    result = finished(run, *checks(FAILED))
    result.series["odd"] = object()

    with pytest.raises(TypeError):
        folder.write(result)

    assert (tmp_path / "results.json").read_text() == before


def test_a_file_that_could_only_be_written_in_part_is_never_seen(run: Run, tmp_path: Path) -> None:
    """The old file stays where no file may grow beyond 100 bytes, as on a disk that is full."""
    folder = Folder(tmp_path)
    folder.write(finished(run, *checks(HELD)))
    before = (tmp_path / "results.json").read_text()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            folder.write(finished(run, *checks(FAILED)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (tmp_path / "results.json").read_text() == before


def test_nothing_is_written_through_a_link(run: Run, tmp_path: Path) -> None:
    """Root may write into a folder of another user, who may have put a link there."""
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    folder = Folder(tmp_path / "results")
    (folder.path / "results.json").symlink_to(precious)

    folder.write(finished(run, *checks(HELD)))

    assert precious.read_text() == "as it was"
    assert json.loads((folder.path / "results.json").read_text())["verdict"] == "pass"


def test_under_sudo_everything_made_belongs_to_the_caller(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New folders and the file are the caller's before they are seen; what was there before is not touched."""
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def give(descriptor: int, uid: int, gid: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        given.append((path.name if path.is_dir() else "a file", uid, gid))

    monkeypatch.setattr(os, "fchown", give)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")

    Folder(tmp_path / "a" / "b").write(finished(run, *checks(HELD)))

    assert sorted(given) == [("a", 1000, 1001), ("a file", 1000, 1001), ("b", 1000, 1001)]


@pytest.mark.parametrize(
    ("uid", "euid"), [(None, 0), ("1000", 1000)], ids=["root without sudo", "sudo's variables without root"]
)
def test_without_sudo_nothing_changes_hands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: str | None, euid: int
) -> None:
    """Files belong to the user who runs the command."""
    given: list[object] = []
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(os, "fchown", lambda *arguments: given.append(arguments))
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
        if uid is not None:
            monkeypatch.setenv(name, uid)

    Folder(tmp_path / "a").write(finished(run, *checks(HELD)))

    assert given == []


def test_the_default_folder_is_named_by_time_scenario_and_gateway(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the current folder; a second run in the same second gets a number."""
    monkeypatch.chdir(tmp_path)
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    stamp = started.astimezone().strftime("%Y%m%d-%H%M%S")

    first = default_folder(run, started)
    Folder(first)
    second = default_folder(run, started)

    assert str(first) == f"runs/{stamp}-port-exhaustion-openflow"
    assert str(second) == f"runs/{stamp}-port-exhaustion-openflow-2"


def test_a_students_file_is_named_without_its_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is no part of a folder's name."""
    monkeypatch.chdir(tmp_path)
    mine = run.model_copy(update={"gateway": "/home/me/lab/my_nat.py:Mine"})

    assert default_folder(mine, datetime(2026, 1, 2, tzinfo=UTC)).name.endswith("-port-exhaustion-my_nat")
