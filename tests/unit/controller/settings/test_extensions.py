"""A file of one's own in place of a name: the class that is found in it, and the sentence where there is none."""

from __future__ import annotations

import abc
import shutil
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from controller.settings.extensions import absolute, own_class
from scenarios.port_exhaustion import PortExhaustion
from testbed.experiment.scenario import Scenario
from testbed.registry import KINDS, load
from tests.support.paths import ROOT
from topologies.base import Topology
from topologies.gateways.base import Gateway

BASES = {
    "scenario": ("testbed.experiment.scenario", Scenario),
    "topology": ("topologies.base", Topology),
    "gateway": ("topologies.gateways.base", Gateway),
}
METHODS = {
    "scenario": "    def run(self, x): pass",
    "topology": "    def build(self, clients): pass",
    "gateway": "    @classmethod\n    def declare(cls, settings, options): pass",
}
"""What a class of each kind must have."""


class Oracle(abc.ABC):
    """A base class that is none of ours."""

    @abc.abstractmethod
    def answer(self, question: str) -> str:
        """Answer."""


every_kind = pytest.mark.parametrize("kind", BASES)


def write(folder: Path, kind: str, *names: str) -> Path:
    """Write a file with classes of a kind, by these names."""
    module, base = BASES[kind]
    lines = [f"from {module} import {base.__name__}", "from mininet.node import Switch"]
    bases = f"Switch, {base.__name__}" if kind == "gateway" else base.__name__
    lines += [f"class {name}({bases}):\n    '''A {kind} of my own.'''\n{METHODS[kind]}" for name in names]
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
    ("classes", "suffix", "told"),
    [
        ((), "", "the file has no class derived from {base}; write `{importing}`, and `class Mine({base}):`"),
        ((), ":Mine", "the file has no class derived from {base}; write `{importing}`, and `class Mine({base}):`"),
        (
            ("Mine", "Other"),
            "",
            "the file has 2 classes derived from {base} (Mine, Other); say which one as {path}:Class",
        ),
        (("Mine", "Other"), ":Theirs", "the file has no class Theirs derived from {base}; it has Mine, Other"),
    ],
    ids=["none", "none of that name or any", "two", "another name"],
)
def test_a_file_that_does_not_say_which_class_is_refused(
    tmp_path: Path, kind: str, classes: tuple[str, ...], suffix: str, told: str
) -> None:
    """With what the file has, and what to write."""
    path, importing = write(tmp_path, kind, *classes), KINDS[kind].importing
    base = importing.split()[-1]

    assert refusal(kind, f"{path}{suffix}") == (
        f"{kind} '{path}{suffix}': {told.format(path=path, importing=importing, base=base)}"
    )


@every_kind
def test_a_class_that_does_not_derive_from_the_base_is_told_to(tmp_path: Path, kind: str) -> None:
    """And how to import it."""
    path, importing = tmp_path / "mine.py", KINDS[kind].importing
    path.write_text("class Mine:\n    pass\n")
    base = importing.split()[-1]

    for name in (str(path), f"{path}:Mine"):
        assert refusal(kind, name) == (
            f"{kind} {name!r}: class Mine does not derive from {base}; "
            f"write `{importing}`, and `class Mine({base}):`"
        )


def test_of_several_classes_the_one_that_has_the_methods_is_told_to_derive(tmp_path: Path) -> None:
    """The others are its helpers."""
    path = tmp_path / "mine.py"
    path.write_text(
        "class Helper:\n    pass\n\n"
        "class Twenty:\n    def answer(self, question): pass\n\n"
        "class Other:\n    pass\n"
    )

    with pytest.raises(ConfigurationError) as refused:
        own_class("oracle", str(path), Oracle, importing="from oracles import Oracle")

    assert "class Twenty does not derive from Oracle; write `from oracles import Oracle`, and" in str(
        refused.value
    )


def test_a_class_that_lacks_a_method_is_told_which(tmp_path: Path) -> None:
    """As it would have to be written."""
    path = tmp_path / "mine.py"
    path.write_text(f"from {__name__} import Oracle\n\nclass Mine(Oracle):\n    pass\n")

    with pytest.raises(ConfigurationError) as refused:
        own_class("oracle", str(path), Oracle, importing="from oracles import Oracle")

    assert str(refused.value) == (
        f"oracle '{path}': class Mine is not yet one; it has to have: def answer(self, question)"
    )


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
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
    ],
    ids=["syntax error", "missing module", "exception", "an exit"],
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
