"""A student's own file in place of a name: what is found in it, and what is said where it is not."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from controller.nat.model import Answer, Endpoint
from controller.nat.strategies.allocators import ALLOCATORS, PortPlan
from controller.nat.strategies.exhaustion import POLICIES
from controller.settings import ConfigurationError, Settings, extensions
from controller.settings.extensions import absolute
from controller.wiring import ControllerConfiguration
from scenarios.port_exhaustion import PortExhaustion
from testbed.experiment.scenario import Scenario
from testbed.registry import load
from tests.support.paths import ROOT
from topologies.base import LabTopology
from topologies.gateways.base import Gateway

BASES = {
    "scenario": ("testbed.experiment.scenario", Scenario),
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


def test_a_name_of_the_registry_needs_no_file() -> None:
    """`port-exhaustion` is the scenario of that name."""
    assert load("scenario", "port-exhaustion") is PortExhaustion


@every_kind
def test_the_only_class_of_a_file_needs_no_name(tmp_path: Path, kind: str) -> None:
    """What the file imports does not count as its own."""
    assert load(kind, str(write(tmp_path, kind, "Mine"))).__name__ == "Mine"


@every_kind
def test_one_of_several_classes_is_chosen_by_its_name(tmp_path: Path, kind: str) -> None:
    """The form is FILE.py:Class."""
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
    """The refusal names the base class, and shows how to name the class."""
    path = write(tmp_path, kind, *classes)

    told = refusal(kind, f"{path}{wanted}")

    assert f"has {found} such classes derived from {BASES[kind][1].__name__}" in told
    assert f"{path}:Class" in told


@every_kind
def test_a_missing_file_is_refused(tmp_path: Path, kind: str) -> None:
    """The refusal names the file."""
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
    """The author reads what Python says."""
    path = tmp_path / "mine.py"
    path.write_text(content)

    told = refusal("scenario", path)

    assert told.startswith(f"scenario '{path}': ")
    assert reason in told


def test_a_copy_of_our_own_scenario_works(tmp_path: Path) -> None:
    """A copy is the natural beginning of one's own scenario: dataclasses, postponed annotations and all."""
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / "scenarios" / "port_exhaustion.py", copy)

    mine = load("scenario", str(copy))

    assert mine.__name__ == "PortExhaustion"
    assert mine.Parameters(attempts=3, protocol="udp").attempts == 3


def test_a_copy_of_our_own_topology_works(tmp_path: Path) -> None:
    """A copy is the natural beginning of one's own network."""
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / "topologies" / "home.py", copy)

    assert load("topology", str(copy))(clients=2).clients == ["alice", "bob"]


def test_a_name_is_made_absolute_only_where_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is made absolute with or without a class behind it."""
    monkeypatch.chdir(tmp_path)

    assert absolute("openflow") == "openflow"
    assert absolute("mine.py") == f"{tmp_path}/mine.py"
    assert absolute("mine.py:Mine") == f"{tmp_path}/mine.py:Mine"


# Allocators and policies: what they must have is checked, not what they derive from

ALLOCATOR = """
from controller.nat.strategies.allocators.random_ import RandomAllocator
from controller.nat.model import Endpoint

class Upward:
    by_subscriber = False

    def __init__(self, plan):
        self.free = list(plan.ports)[::-1]

    def __len__(self):
        return len(self.free)

    def allocate(self, internal, now):
        return self.free.pop() if self.free else None

    def release(self, port, now):
        self.free.append(port)
"""
POLICY = """
from controller.nat.model import Answer

class Polite:
    evicts = False

    def decide(self, shortage):
        return Answer.ICMP
"""


def refusal_of_setting(**values: object) -> str:
    """Return what the user is told when the core's settings are made."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.model_validate(values).for_nat()
    return str(refused.value)


def own(folder: Path, content: str) -> Path:
    """Write a student's file."""
    path = folder / "mine.py"
    path.write_text(content)
    return path


def without(content: str, method: str) -> str:
    """Return a class without one of its methods or attributes."""
    kept, skipping = [], False
    for line in content.splitlines():
        if line.startswith("    ") and not line.startswith("        "):
            skipping = line.strip().startswith((f"def {method}(", f"{method} ="))
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


@pytest.mark.parametrize("suffix", ["", ":Upward"], ids=["alone in its file", "by its name"])
def test_an_allocator_of_ones_own_is_given_to_the_core(tmp_path: Path, suffix: str) -> None:
    """It derives from nothing; what the file imports does not count as its own."""
    path = own(tmp_path, ALLOCATOR)

    cls = Settings(port_allocation_type=f"{path}{suffix}").for_nat().allocator

    plan = PortPlan(range(1024, 1026), random.Random(1), 1, 1.0)
    mine = cls(plan)
    assert [mine.allocate(Endpoint.parse("10.0.0.1:5"), 0.0) for _ in range(3)] == [1024, 1025, None]


@pytest.mark.parametrize("suffix", ["", ":Polite"], ids=["alone in its file", "by its name"])
def test_a_policy_of_ones_own_is_given_to_the_core(tmp_path: Path, suffix: str) -> None:
    """It may be alone in its file, or be named."""
    cls = Settings(on_exhaustion=f"{own(tmp_path, POLICY)}{suffix}").for_nat().on_exhaustion

    assert cls().decide(None) is Answer.ICMP  # type: ignore[arg-type]


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    """Each is found by what it has, and the helpers of neither count."""
    path = own(tmp_path, ALLOCATOR + POLICY + "\nclass Helper:\n    pass\n")

    settings = Settings(port_allocation_type=str(path), on_exhaustion=str(path)).for_nat()

    assert (settings.allocator.__name__, settings.on_exhaustion.__name__) == ("Upward", "Polite")


def test_a_class_with_two_names_is_one_class(tmp_path: Path) -> None:
    """A class with an alias needs no FILE.py:Class."""
    path = own(tmp_path, f"{POLICY}\nAlias = Polite\n")

    assert Settings(on_exhaustion=str(path)).for_nat().on_exhaustion.__name__ == "Polite"


@pytest.mark.parametrize("name", ALLOCATORS)
def test_a_copy_of_our_own_allocator_works(tmp_path: Path, name: str) -> None:
    """A copy is the natural beginning of one's own allocator."""
    ours = ALLOCATORS[name]
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / f"{ours.__module__.replace('.', '/')}.py", copy)

    assert Settings(port_allocation_type=f"{copy}:{ours.__name__}").for_nat().allocator.__name__ == ours.__name__
    assert Settings(port_allocation_type=str(copy)).for_nat().allocator.__name__ == ours.__name__


@pytest.mark.parametrize("name", POLICIES)
def test_a_copy_of_our_own_policy_works(tmp_path: Path, name: str) -> None:
    """A copy is the natural beginning of one's own policy."""
    ours = POLICIES[name]
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / f"{ours.__module__.replace('.', '/')}.py", copy)

    assert Settings(on_exhaustion=str(copy)).for_nat().on_exhaustion.__name__ == ours.__name__


@pytest.mark.parametrize("name", ALLOCATORS)
def test_our_own_allocators_have_what_is_asked_of_a_students(name: str) -> None:
    """The check of an allocator is neither stricter than the core nor looser."""
    assert extensions.ALLOCATOR.lacks(ALLOCATORS[name]) == []


@pytest.mark.parametrize("name", POLICIES)
def test_our_own_policies_have_what_is_asked_of_a_students(name: str) -> None:
    """The check of a policy is neither stricter than the core nor looser."""
    assert extensions.POLICY.lacks(POLICIES[name]) == []


@pytest.mark.parametrize(
    ("setting", "content", "member", "written"),
    [
        ("port_allocation_type", ALLOCATOR, "__init__", ""),
        ("port_allocation_type", ALLOCATOR, "__len__", "def __len__(self)"),
        ("port_allocation_type", ALLOCATOR, "allocate", "def allocate(self, internal, now)"),
        ("port_allocation_type", ALLOCATOR, "release", "def release(self, port, now)"),
        ("port_allocation_type", ALLOCATOR, "by_subscriber", "by_subscriber = False (or True)"),
        ("on_exhaustion", POLICY, "decide", "def decide(self, shortage)"),
        ("on_exhaustion", POLICY, "evicts", "evicts = False (or True)"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
@pytest.mark.parametrize("named", [False, True], ids=["alone in its file", "by its name"])
def test_a_class_that_lacks_something_is_refused_with_what_it_lacks(
    tmp_path: Path, setting: str, content: str, member: str, written: str, named: bool
) -> None:
    """The refusal shows the member as it would have to be written."""
    path = own(tmp_path, without(content, member))
    cls = "Upward" if content is ALLOCATOR else "Polite"
    name = f"{path}:{cls}" if named else str(path)

    told = refusal_of_setting(**{setting: name})

    if written:
        assert told.endswith(f"{name!r}: class {cls} is not yet one; it has to have: {written}")
    else:
        assert told.startswith(f"allocator {name!r} cannot be made: TypeError: ")


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        ("def allocate(self, internal, now)", "def allocate(self, internal)", "def allocate(self, internal, now)"),
        ("def release(self, port, now)", "def release(self, port, now, more)", "def release(self, port, now)"),
        ("def __init__(self, plan)", "def __init__(self)", "def __init__(self, plan)"),
        ("by_subscriber = False", "by_subscriber = 'no'", "by_subscriber = False (or True)"),
        ("def __len__(self)", "__len__ = 3\n\n    def other(self)", "def __len__(self)"),
    ],
    ids=["too few parameters", "too many", "no plan", "not a bool", "not a method"],
)
def test_a_method_that_cannot_be_called_is_as_good_as_none(
    tmp_path: Path, before: str, after: str, written: str
) -> None:
    """The core would meet it in the middle of a run."""
    path = own(tmp_path, ALLOCATOR.replace(before, after))

    assert refusal_of_setting(port_allocation_type=str(path)).endswith(f"it has to have: {written}")


@pytest.mark.parametrize(
    ("content", "suffix", "told"),
    [
        ("", "", "has no such classes that could be one (none at all)"),
        (POLICY, ":Theirs", "has no such classes that could be one (Polite)"),
        (
            f"{POLICY}{POLICY.replace('Polite', 'Other')}",
            "",
            "has 2 such classes that could be one (Polite, Other)",
        ),
        ("class A:\n    pass\nclass B:\n    pass\n", "", "has no such classes that could be one (A, B)"),
    ],
    ids=["none", "another name", "two", "two that could not"],
)
def test_a_policy_that_cannot_be_found_is_refused(tmp_path: Path, content: str, suffix: str, told: str) -> None:
    """The refusal lists what the file has, and how to name one class."""
    path = own(tmp_path, content)

    refused = refusal_of_setting(on_exhaustion=f"{path}{suffix}")

    assert refused.startswith(f"policy '{path}{suffix}': the file {told}")
    assert refused.endswith(f"say which one as {path}:Class")


def test_a_missing_file_of_an_allocator_is_refused(tmp_path: Path) -> None:
    """The refusal names the file of the allocator."""
    told = refusal_of_setting(port_allocation_type=f"{tmp_path}/none.py:Mine")

    assert told == f"allocator '{tmp_path}/none.py': there is no such file"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("self.free = ", "plan.port; self.free = ", "AttributeError: 'PortPlan' object has no attribute 'port'"),
        ("return len(self.free)", "return 1 / 0", "ZeroDivisionError: division by zero"),
        ("return len(self.free)", "return None", "TypeError: "),
    ],
    ids=["in the constructor", "in __len__", "no number"],
)
def test_an_allocator_is_tried_before_anything_starts(
    tmp_path: Path, before: str, after: str, reason: str
) -> None:
    """An allocator is made once, and asked how many ports are free."""
    path = own(tmp_path, ALLOCATOR.replace(before, after))

    assert f"allocator '{path}' cannot be made: {reason}" in refusal_of_setting(port_allocation_type=str(path))


def test_the_trial_is_with_the_ports_and_blocks_of_the_run(tmp_path: Path) -> None:
    """An allocator may refuse what it cannot serve, with words of its own."""
    check = "raise ValueError((plan.ports, plan.port_set_size, plan.port_set_timeout)); self.free = "
    path = own(tmp_path, ALLOCATOR.replace("self.free = ", check, 1))

    told = refusal_of_setting(
        port_allocation_type=str(path), ports=8, port_set_size=2, port_set_timeout=10, time_scale=0.5
    )

    assert told.endswith("ValueError: (range(1024, 1032), 2, 5.0)")


def test_a_policy_is_tried_before_anything_starts(tmp_path: Path) -> None:
    """A policy is made without any argument."""
    path = own(tmp_path, POLICY + "\n    def __init__(self):\n        1 / 0\n")

    assert refusal_of_setting(on_exhaustion=str(path)) == (
        f"policy '{path}' cannot be made: ZeroDivisionError: division by zero"
    )


def test_the_controller_finds_the_same_class_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller reads the settings from its YAML file, in a process of its own."""
    own(tmp_path, ALLOCATOR + POLICY)
    monkeypatch.chdir(tmp_path)
    settings = Settings(port_allocation_type="mine.py", on_exhaustion="mine.py:Polite")
    file = tmp_path / "controller.yaml"
    ControllerConfiguration(settings=settings, interfaces=[], mac="", seed=1).save(file)
    monkeypatch.chdir("/")

    loaded = ControllerConfiguration.load(file).settings

    assert loaded.port_allocation_type == f"{tmp_path}/mine.py"
    assert loaded.on_exhaustion == f"{tmp_path}/mine.py:Polite"
    assert loaded.for_nat().allocator.__name__ == "Upward"
    assert loaded.for_nat().on_exhaustion.__name__ == "Polite"
