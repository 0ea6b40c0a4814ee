"""Opening a folder for results: one that has some is refused, whatever command wrote them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.compare.comparison import Planned, compare, require_room
from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.exit_status import ExitStatus
from testbed.run.opening import opened, opened_for_results
from testbed.run.resolve import resolve
from tests.support.paths import ROOT
from tests.support.results import FAILED, HELD, checks, finished


@pytest.fixture(scope="module")
def run() -> Run:
    """The run `port-exhaustion` with 8 ports."""
    return resolve("port-exhaustion", "openflow", Choices(sets=["ports=8"]), datapath="userspace")


def asked(path: Path, *writes: str) -> None:
    """Ask for a folder as a command does that is given --out."""
    opened_for_results(path, ["port-exhaustion", "openflow"], {}, writes=writes)


def refusal(path: Path, *writes: str) -> str:
    """Return the words with which a folder is refused, without the path."""
    with pytest.raises(ConfigurationError) as refused:
        asked(path, *writes)
    return str(refused.value).removeprefix(f"--out {path} ")


@pytest.mark.parametrize(("records", "verdict"), [([HELD], "pass"), ([FAILED], "fail"), ([], "error")])
def test_a_folder_with_the_results_of_a_run_is_refused(
    run: Run, tmp_path: Path, records: list[dict[str, Any]], verdict: str
) -> None:
    """The refusal says whose they are, and the results stay as they were."""
    result = finished(run, *checks(*records))
    opened(tmp_path).write(result)
    before = (tmp_path / "results.json").read_bytes()

    facts = f"port-exhaustion on openflow, {result.started.astimezone():%Y-%m-%d %H:%M}, {verdict}"
    assert refusal(tmp_path) == f"has results already ({facts}); take another folder, or remove it"
    assert (tmp_path / "results.json").read_bytes() == before


def test_a_folder_with_a_comparison_is_refused(tmp_path: Path) -> None:
    """A run, a bench and another comparison are refused alike."""
    planned = [Planned("eviction", "netfilter", None, "it cannot", ExitStatus.WRONG_INPUT)]
    compare(planned, opened(tmp_path), pcap=False)

    assert refusal(tmp_path).startswith("has results already (compare eviction on netfilter, ")


def test_a_folder_with_the_results_of_a_bench_is_refused(tmp_path: Path) -> None:
    """It is recognised by what the file holds."""
    (tmp_path / "memory.json").write_text(json.dumps({"bench": "memory", "rows": [], "error": "it broke"}))

    assert refusal(tmp_path).startswith("has results already (bench memory, ")
    assert refusal(tmp_path).endswith(", error); take another folder, or remove it")


@pytest.mark.parametrize("name", ["results.json", "compare.json", "inside.pcapng", "outside.pcapng", "memory.md"])
def test_a_file_that_would_be_overwritten_is_refused_whatever_it_holds(tmp_path: Path, name: str) -> None:
    """It may be of a run that was killed, or of another program; a link that leads nowhere is in the way too."""
    (tmp_path / name).symlink_to(tmp_path / "nowhere")

    assert refusal(tmp_path, "memory.md") == f"has {name} already; take another folder, or remove it"


@pytest.mark.parametrize(
    "names", [[], ["notes.txt", "memory.md", "memory.json", ".lastport-x1"]], ids=["empty", "foreign"]
)
def test_a_folder_without_results_is_taken(tmp_path: Path, names: list[str]) -> None:
    """Files that the command does not write are no hindrance."""
    for name in names:
        (tmp_path / name).write_text("[1]")

    asked(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_folder_of_one_of_several_runs_that_has_results_is_refused(run: Run, tmp_path: Path) -> None:
    """A comparison that was killed leaves folders of gateways and no compare.json."""
    planned = [Planned("port-exhaustion", name, run) for name in ("openflow", "netfilter")]
    require_room(planned, tmp_path)
    opened(tmp_path / "netfilter").write(finished(run, *checks(HELD)))

    with pytest.raises(ConfigurationError, match="netfilter has results already"):
        require_room(planned, tmp_path)


def test_a_folder_of_one_of_several_runs_that_leads_elsewhere_is_refused(run: Run, tmp_path: Path) -> None:
    """Another user may have put a link there."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "openflow").symlink_to(tmp_path)

    with pytest.raises(ConfigurationError, match="is a link"):
        require_room([Planned("port-exhaustion", "openflow", run)], tmp_path / "out")


def test_a_folder_that_another_command_is_about_to_fill_is_refused(tmp_path: Path) -> None:
    """It has no results yet. It is free again when that command ends, however it ends."""
    holder = f"""
import sys
from pathlib import Path
from testbed.run.opening import opened_for_results
kept = opened_for_results(Path({str(tmp_path)!r}), ["s", "g"], {{}})
print("claimed", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", holder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(ConfigurationError, match="another command is writing its results there"):
            asked(tmp_path)
        other.kill()

    asked(tmp_path)


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is made by the run that it is for, so that no two can have it."""
    monkeypatch.chdir(tmp_path)

    paths = [opened_for_results(None, ["port-exhaustion", "openflow"], {"ports": 8}).path for _ in range(3)]

    assert len(set(paths)) == 3
    assert all(path.is_dir() and "port-exhaustion-openflow-ports=8" in path.name for path in paths)


@pytest.mark.parametrize("in_the_way", ["a file", "a link that leads nowhere"])
def test_a_folder_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_the_way: str
) -> None:
    """Whether it was chosen or not, the refusal has its path."""
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    if in_the_way == "a file":
        runs.write_text("a file")
    else:
        runs.symlink_to("nowhere")

    for chosen in (Path("runs"), None):
        with pytest.raises(ConfigurationError, match=r"runs.*: (Not a directory|File exists)"):
            opened_for_results(chosen, ["s", "g"], {})
