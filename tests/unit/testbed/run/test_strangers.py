"""Files of a user's own among what was chosen: where they are read, and what their answers may be."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.command.showing import found
from testbed.compare.comparison import plans
from testbed.compare.showed import showed
from testbed.run import strangers
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.sandbox import walls
from testbed.sandbox.enter import MachineError
from tests.support.paths import ROOT
from tests.support.walled import needs_walls

SCENARIO = str(ROOT / "docs" / "examples" / "who_answers_scenario.py")
ALLOCATOR = str(ROOT / "docs" / "examples" / "odd_ports_allocator.py")

FORGING = """
import os
for descriptor in map(int, os.listdir("/proc/self/fd")):
    try:
        if descriptor > 2:
            os.write(descriptor, {answer!r}.encode())
    except OSError:
        pass
os._exit(0)
"""


@needs_walls
def test_no_file_of_a_user_s_own_is_imported_by_the_command_itself() -> None:
    """Whatever asks for it: a run, a comparison, `show`."""
    before = set(sys.modules)
    run = resolve(SCENARIO, "openflow", Choices(allocator=ALLOCATOR), datapath="userspace")
    planned = plans(Choices(), [SCENARIO], ["openflow", "netfilter"])
    (facts,) = found(SCENARIO)
    (row,) = showed([{"scenario": SCENARIO, "gateway": "openflow", "verdict": "cannot"}])

    assert run.names == [SCENARIO, "home", "openflow", ALLOCATOR, "drop"]
    assert [each.run.gateway for each in planned if each.run] == ["openflow", "netfilter"]
    assert facts["description"] == row["question"]
    assert not [name for name in set(sys.modules) - before if name.startswith("lastport_")]


def test_a_run_is_walled_in_if_any_part_of_it_is_a_file() -> None:
    """And costs nothing more if none is."""
    ours = resolve("release", "openflow", Choices(), datapath="userspace")
    theirs = ours.model_copy(update={"settings": ours.settings.model_copy(update={"on_exhaustion": ALLOCATOR})})

    assert strangers.walled(ours) is None
    walled = strangers.walled(theirs)
    assert walled is not None
    assert walled.files == [Path(ALLOCATOR)]
    assert walled.limits.processes == 256 + 4 * ours.parameters["clients"]


def test_a_link_and_what_it_leads_to_are_both_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link may stand in a private folder, and lead to another."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").symlink_to(SCENARIO)

    assert strangers.files_among(["mine.py:Mine", "mine.py", None, "openflow", 3]) == [
        tmp_path / "mine.py",
        Path(SCENARIO),
    ]


@needs_walls
def test_a_file_in_a_folder_that_a_link_leads_to_is_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind walls the link is a folder, where it is in one that is empty otherwise."""
    monkeypatch.chdir(tmp_path)
    Path("linked").symlink_to(Path(SCENARIO).parent)

    run = resolve(f"linked/{Path(SCENARIO).name}", "openflow", Choices(), datapath="userspace")

    assert Path(run.scenario).resolve() == Path(SCENARIO).resolve()


@needs_walls
@pytest.mark.parametrize("answer", ["another run", "none", "nothing"])
def test_an_answer_that_a_file_forges_leads_to_no_run_without_walls(tmp_path: Path, answer: str) -> None:
    """It can forge what it declares, and nothing else."""
    ours = resolve("release", "openflow", Choices(), datapath="userspace").model_dump(mode="json")
    forged = {"another run": json.dumps(["value", ours]), "none": '["value", {"scenario": 1}]', "nothing": "{"}
    mine = tmp_path / "mine.py"
    mine.write_text(FORGING.format(answer=forged[answer]))

    with pytest.raises(ConfigurationError) as error:
        resolve(str(mine), "openflow", Choices(), datapath="userspace")

    words = {
        "another run": "another run than was asked for",
        "none": "is no run",
        "nothing": "ended the program that imports it with status 0",
    }
    assert words[answer] in str(error.value)


@needs_walls
def test_an_allocator_takes_no_part_in_deciding_about_a_run(tmp_path: Path) -> None:
    """It may forge what it declares, and nothing else: it can be written where it declares it in good faith."""
    forged = Choices(allocator=str(tmp_path / "mine.py"), sets=["ports=16"])
    ours = resolve("port-exhaustion", "openflow", Choices(sets=["ports=16"]), datapath="userspace")

    (tmp_path / "mine.py").write_text(FORGING.format(answer=json.dumps(["value", {"capacity": 7}])))
    run = resolve("port-exhaustion", "openflow", forged, datapath="userspace")

    assert run.settings.capacity == 7
    assert [facts.capacity for facts in run.declared.values()] == [7]
    assert run.settings.model_copy(update={"port_allocation_type": "random"}) == ours.settings
    assert run.names == [*ours.names[:3], str(tmp_path / "mine.py"), "drop"]


@needs_walls
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            ["value", {"scenario": "nat-behaviour", "gateway": "openflow"}],
            "it wrote \"{'scenario':",
        ),
        (["value", {"capacity": 17}], "a length of 17"),
        (["value", {"capacity": 0}], "a length of 0"),
    ],
)
def test_what_no_allocator_declares_is_refused(answer: list[object], words: str, tmp_path: Path) -> None:
    """With the file, and what was written."""
    (tmp_path / "mine.py").write_text(FORGING.format(answer=json.dumps(answer)))
    choices = Choices(allocator=str(tmp_path / "mine.py"), sets=["ports=16"])

    with pytest.raises(ConfigurationError) as error:
        resolve("port-exhaustion", "openflow", choices, datapath="userspace")
    assert f"{tmp_path / 'mine.py'}: what it declares could not be read: {words}" in str(error.value)


def test_where_there_can_be_no_walls_a_file_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the machine that lacks them. Our own names need none."""

    def unshare(flags: int) -> None:
        raise PermissionError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(walls, "unshare", unshare)
    with pytest.raises(MachineError) as error:
        resolve(SCENARIO, "openflow", Choices(), datapath="userspace")

    assert str(error.value).startswith(
        "a file of one's own is imported and run behind walls only, and here there can "
    )
    assert "unshare: Operation not permitted. What to do: run it as root (sudo ./lastport ...)" in str(error.value)
    assert resolve("release", "openflow", Choices(), datapath="userspace").names


@needs_walls
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is nobody behind walls")
def test_a_checkout_that_only_root_may_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that opens it."""
    monkeypatch.setattr(strangers, "CHECKOUT", tmp_path)
    tmp_path.chmod(0o700)

    with pytest.raises(MachineError, match=f"What to do: chmod -R go\\+rX {tmp_path}$"):
        resolve(SCENARIO, "openflow", Choices(), datapath="userspace")
