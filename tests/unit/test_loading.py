"""A student's own file in place of a name: what is found in it, and what is said where it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controller.configuration import ConfigurationError
from scenarios.base import Scenario
from scenarios.loading import absolute, load
from scenarios.port_exhaustion import PortExhaustion
from topologies.base import LabTopology
from topologies.gateways.base import Gateway

ROOT = Path(__file__).resolve().parents[2]
BASES = {
    "scenario": ("scenarios.base", Scenario),
    "topology": ("topologies.base", LabTopology),
    "gateway": ("topologies.gateways.base", Gateway),
}
every_kind = pytest.mark.parametrize("kind", BASES)


def write(folder: Path, kind: str, *names: str) -> Path:
    """Write a file with classes of a kind, by these names."""
    module, base = BASES[kind]
    lines = [f"from {module} import {base.__name__}"]
    lines += [f"class {name}({base.__name__}):\n    '''A {kind} of my own.'''" for name in names]
    path = folder / "mine.py"
    path.write_text("\n".join(lines) + "\n")
    return path


def refusal(kind: str, name: object) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        load(kind, str(name))
    return str(refused.value)


def test_a_name_of_ours_is_one_of_ours() -> None:
    """Without any file."""
    assert load("scenario", "port-exhaustion") is PortExhaustion


@every_kind
def test_the_only_class_of_a_file_needs_no_name(tmp_path: Path, kind: str) -> None:
    """What the file imports does not count as its own."""
    assert load(kind, str(write(tmp_path, kind, "Mine"))).__name__ == "Mine"


@every_kind
def test_one_of_several_classes_is_chosen_by_its_name(tmp_path: Path, kind: str) -> None:
    """FILE.py:Class."""
    assert load(kind, f"{write(tmp_path, kind, 'Mine', 'Other')}:Other").__name__ == "Other"


@every_kind
@pytest.mark.parametrize(
    ("classes", "wanted", "found"),
    [((), "", "no"), (("Mine", "Other"), "", "2"), (("Mine",), ":Theirs", "no")],
    ids=["none", "two", "another name"],
)
def test_a_file_that_does_not_say_which_class_is_refused(
    tmp_path: Path, kind: str, classes: tuple[str, ...], wanted: str, found: str
) -> None:
    """With the base class, and how to say it."""
    path = write(tmp_path, kind, *classes)

    told = refusal(kind, f"{path}{wanted}")

    assert f"has {found} such classes derived from {BASES[kind][1].__name__}" in told
    assert f"{path}:Class" in told


@every_kind
def test_a_missing_file_is_refused(tmp_path: Path, kind: str) -> None:
    """With its name."""
    assert refusal(kind, tmp_path / "none.py") == f"{kind} '{tmp_path}/none.py': there is no such file"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("class Mine(:\n", "SyntaxError"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
    ids=["syntax error", "missing module", "exception"],
)
def test_a_broken_file_is_refused_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    """It is the author's fault, and the author is told what Python says."""
    path = tmp_path / "mine.py"
    path.write_text(content)

    told = refusal("scenario", path)

    assert told.startswith(f"scenario '{path}': ")
    assert reason in told


def test_a_copy_of_our_own_scenario_works(tmp_path: Path) -> None:
    """The natural beginning of one's own: dataclasses, postponed annotations and all."""
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / "scenarios" / "port_exhaustion.py", copy)

    mine = load("scenario", str(copy))

    assert mine.__name__ == "PortExhaustion"
    assert mine.Parameters(attempts=3, protocol="udp").attempts == 3


def test_a_copy_of_our_own_topology_works(tmp_path: Path) -> None:
    """So does a network."""
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / "topologies" / "home.py", copy)

    assert load("topology", str(copy))(clients=2).clients == ["alice", "bob"]


def test_a_name_is_made_absolute_only_where_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without a class."""
    monkeypatch.chdir(tmp_path)

    assert absolute("openflow") == "openflow"
    assert absolute("mine.py") == f"{tmp_path}/mine.py"
    assert absolute("mine.py:Mine") == f"{tmp_path}/mine.py:Mine"
