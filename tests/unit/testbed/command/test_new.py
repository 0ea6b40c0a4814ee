"""Skeletons of one's own things: each is complete, and none overwrites a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError, Settings
from testbed.command.new import KINDS, write
from testbed.registry import load


@pytest.mark.parametrize("kind", ["scenario", "topology", "gateway"])
def test_a_skeleton_is_one_of_its_kind(tmp_path: Path, kind: str) -> None:
    """Nothing is lacking."""
    written = write(kind, "first-try", tmp_path)

    assert load(kind, str(written.path)).__name__ == "FirstTry"


def test_the_skeletons_of_strategies_are_given_to_the_core(tmp_path: Path) -> None:
    """They are tried before, as any of a stranger's."""
    chosen = {
        "port_allocation_type": str(write("allocator", "first-try", tmp_path).path),
        "on_exhaustion": str(write("policy", "first-try", tmp_path).path),
    }

    nat = Settings.model_validate(chosen).for_nat()

    assert (nat.allocator.__name__, nat.on_exhaustion.__name__) == ("FirstTry", "FirstTry")


@pytest.mark.parametrize(
    ("name", "file", "cls"),
    [
        ("first-try", "first_try_policy.py", "FirstTry"),
        ("FirstTry", "first_try_policy.py", "FirstTry"),
        ("first_policy", "first_policy.py", "First"),
        ("policy", "policy_policy.py", "PolicyPolicy"),
        ("answer", "answer_policy.py", "AnswerPolicy"),
        ("none", "none_policy.py", "NonePolicy"),
        ("x2", "x2_policy.py", "X2"),
    ],
)
def test_file_and_class_are_named_by_the_name_and_the_kind(tmp_path: Path, name: str, file: str, cls: str) -> None:
    """In whatever way it is written."""
    path = write("policy", name, tmp_path).path

    assert path.name == file
    assert f"class {cls}(" in path.read_text()


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    """It may be days of work."""
    path = write("policy", "mine", tmp_path).path
    path.write_text("days of work")

    with pytest.raises(ConfigurationError, match="is there already; take another name"):
        write("policy", "mine", tmp_path)
    assert path.read_text() == "days of work"


@pytest.mark.parametrize("name", ["", "../x", "-x", "1st", "a b", "a.py"])
def test_a_name_that_makes_no_class_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written."""
    with pytest.raises(ConfigurationError, match="take letters, digits"):
        write("policy", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """The nearest is named."""
    with pytest.raises(ConfigurationError, match="did you mean 'gateway'"):
        write("gatway", "mine", tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the system's own words."""
    with pytest.raises(ConfigurationError, match="cannot be written: No such file or directory"):
        write("policy", "mine", tmp_path / "gone")


def test_every_kind_has_a_recipe() -> None:
    """A page of its own."""
    assert {kind.recipe for kind in KINDS.values()} == {f"docs/how/{kind}.md" for kind in KINDS}
