"""The folder of results: files are whole or not there, never written through a link, and on any filesystem."""

from __future__ import annotations

import errno
import json
import os
import resource
import tempfile
from pathlib import Path

import pytest

from testbed.command.new import KINDS, write
from testbed.compare.comparison import Planned, compare
from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.exit_status import ExitStatus
from testbed.run.folder import Folder
from testbed.run.opening import opened
from testbed.run.resolve import resolve
from tests.support.results import FAILED, HELD, checks, finished
from tests.support.shared_folder import refuse


@pytest.fixture(scope="module")
def run() -> Run:
    """The run `port-exhaustion` with its defaults."""
    return resolve("port-exhaustion", "openflow", Choices(), datapath="userspace")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """Return a folder that refuses as a virtual machine's synced folder does, and what it has refused."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder, refuse(folder, monkeypatch)


def test_the_file_holds_what_is_printed(run: Run, tmp_path: Path) -> None:
    """Its folder is made if need be."""
    folder = Folder(tmp_path / "a" / "b")

    written = folder.write(finished(run, *checks(HELD)))

    file = tmp_path / "a" / "b" / "results.json"
    assert json.loads(file.read_text()) == written
    assert written["files"] == {"results": str(file), "report": str(file.with_name("report.html"))}
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

    assert sorted(given) == [("a", 1000, 1001), *[("a file", 1000, 1001)] * 2, ("b", 1000, 1001)]


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


def test_nothing_is_left_of_a_file_that_could_not_be_written(run: Run, tmp_path: Path) -> None:
    """Neither under its name nor under another."""
    folder = Folder(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            folder.write(finished(run, *checks(FAILED)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list(tmp_path.iterdir()) == []


def test_a_capture_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A file or a link in its place is an error, and stays as it was."""
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    folder = Folder(tmp_path / "results")
    (folder.path / "inside.pcapng").symlink_to(precious)

    with pytest.raises(FileExistsError):
        folder.captures()

    assert precious.read_text() == "as it was"


def test_empty_captures_of_a_run_that_could_not_begin_are_removed(tmp_path: Path) -> None:
    """Or the next run would be refused for them."""
    folder = Folder(tmp_path)
    for file in folder.captures().values():
        file.close()

    assert folder.captured() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_capture_without_frames_is_removed(run: Run, tmp_path: Path) -> None:
    """It is empty if the run broke before there was a network; the other one is named in the results."""
    folder = Folder(tmp_path)
    made = folder.captures()
    made["inside"].write(b"frames")
    for file in made.values():
        file.close()

    written = folder.write(finished(run, done=False))

    assert written["files"] == {
        "results": str(tmp_path / "results.json"),
        "report": str(tmp_path / "report.html"),
        "inside": str(tmp_path / "inside.pcapng"),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside.pcapng", "results.json"]


# A folder that refuses as a virtual machine's synced folder does


def test_the_folder_refuses_as_the_real_one_does(shared: tuple[Path, list[str]]) -> None:
    """By its source: vboxsf has no O_TMPFILE, and its host's ETXTBSY is the answer about a file that is open."""
    folder, refused = shared
    with pytest.raises(OSError, match=os.strerror(errno.ETXTBSY)):
        tempfile.TemporaryFile(dir=folder).close()
    with (folder / "one").open("w"), pytest.raises(OSError, match=os.strerror(errno.ETXTBSY)):
        (folder / "one").replace(folder / "two")

    assert refused == ["open", "unlink", "rename"] or refused == ["open", "unlink", "replace"]


@pytest.mark.parametrize("sudo", [False, True], ids=["root", "under sudo"])
def test_a_run_with_captures_is_kept_in_a_shared_folder(
    run: Run, shared: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, sudo: bool
) -> None:
    """Each file is closed before it is moved or removed; that there are no owners and modes does not matter."""
    if sudo:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("SUDO_UID", "1000")
        monkeypatch.setenv("SUDO_GID", "1000")
    folder, refused = shared
    results = opened(folder / "runs" / "one")
    made = results.captures()
    made["inside"].write(b"frames")
    for file in made.values():
        file.close()

    written = results.write(finished(run, *checks(HELD)))

    assert json.loads((folder / "runs" / "one" / "results.json").read_text()) == written
    assert sorted(path.name for path in results.path.iterdir()) == ["inside.pcapng", "results.json"]
    assert set(refused) <= {"fchmod", "fchown"}


@pytest.mark.parametrize("name", ["compare.json", "setup.json", "setup.md", "results.md"])
def test_every_other_file_is_written_to_a_shared_folder(shared: tuple[Path, list[str]], name: str) -> None:
    """The files of compare and bench, and the page of --markdown, which takes the place of an older one."""
    folder, _ = shared
    for text in ("old", "new"):
        opened(folder).write_text(name, text)

    assert (folder / name).read_text() == "new"
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_comparison_is_kept_in_a_shared_folder(shared: tuple[Path, list[str]]) -> None:
    """It needs no more than a run."""
    folder, _ = shared
    planned = [Planned("eviction", "netfilter", None, "it cannot", ExitStatus.WRONG_INPUT)]

    told = compare(planned, opened(folder / "compared"), pcap=True).told

    assert json.loads((folder / "compared" / "compare.json").read_text()) == told


@pytest.mark.parametrize("kind", KINDS)
def test_a_skeleton_is_written_to_a_shared_folder(
    shared: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """`lastport new` is called in a synced folder, where a user edits the file."""
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1000")
    folder, _ = shared

    assert write(kind, "first-try", folder).path.read_text()


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_a_file_that_cannot_have_its_name_leaves_none_under_another(tmp_path: Path, name: str) -> None:
    """Neither what is too long, nor what no path can have."""
    with pytest.raises((OSError, ValueError)):
        Folder(tmp_path).write_text(name, "text")

    assert [*tmp_path.iterdir()] == []


def test_files_are_written_all_of_them_or_none(tmp_path: Path) -> None:
    """So the same folder can be asked for again, when what was in the way is mended."""
    place = tmp_path / "above" / "sheets"
    with pytest.raises(OSError, match="File name too long"):
        Folder(place, new=True).write_texts({"alice.md": "1", "x" * 256: "2", "bob.md": "3"})

    assert [*tmp_path.iterdir()] == []
    Folder(place, new=True).write_texts({"alice.md": "1", "bob.md": "3"})
    assert sorted(path.name for path in place.iterdir()) == ["alice.md", "bob.md"]
