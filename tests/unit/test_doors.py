"""Who may import whom: the rooms of the project and the doors between them, read from every import statement.

An import counts wherever it stands: at the top, in a function, or for types only.
"""

from __future__ import annotations

import ast
import graphlib
import sys

import pytest

from testbed.registry import KINDS, found
from tests.support.paths import ROOT

CORE = ("controller.nat",)
SETTINGS = (*CORE, "controller.settings")
WIRING = (*SETTINGS, "controller.recording", "controller.wiring")
NETWORK = (*WIRING, "topologies.network")
GATEWAYS = (*NETWORK, "topologies.gateways")
TOPOLOGIES = (*GATEWAYS, "topologies")
SANDBOX = ("testbed.sandbox",)
TRAFFIC = (*SANDBOX, "testbed.traffic")
EVIDENCE = (*TOPOLOGIES, *TRAFFIC, "testbed.evidence")
EXPERIMENT = (*EVIDENCE, "testbed.experiment")
RECORDING = (*CORE, "controller.recording", "testbed.recording")
NATLOG = (*SETTINGS, "testbed.natlog")
PLAN = (
    *(*RECORDING, *NATLOG, "controller.settings"),
    *("controller.openflow.ageing", "controller.process.garbage", "testbed.plan"),
)
RUN = (*EXPERIMENT, *PLAN, "testbed.registry", "testbed.run")
SWEEP = (*RUN, "testbed.sweep")
SHELL = (*RUN, "testbed.shell")
EXEC = (*RUN, "testbed.exec")
REPORT = (*SWEEP, "testbed.compare", "testbed.bench", "testbed.report")
COMMAND = (*REPORT, "testbed.exec", "testbed.web", "testbed.labs", "testbed.command")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "controller.nat": (),
    "controller.api": CORE,
    "controller.settings": CORE,
    "controller.recording": CORE,
    "controller.wiring": SETTINGS,
    "controller.openflow": (*WIRING, "controller.openflow.ageing"),
    "controller.openflow.ageing": CORE,
    "controller.process": (*WIRING, "controller.openflow", "controller.process.garbage"),
    "controller.process.garbage": (),
    "controller": ("controller.process",),
    "topologies.network": (),
    "topologies.gateways": NETWORK,
    "topologies": GATEWAYS,
    "testbed.registry": SETTINGS,
    "testbed.sandbox": (),
    "testbed.traffic": (*SANDBOX, "topologies.network"),
    "testbed.evidence": (*TOPOLOGIES, *TRAFFIC),
    "testbed.experiment": EVIDENCE,
    "testbed.api": EXPERIMENT,
    "testbed.recording": RECORDING,
    "testbed.natlog": SETTINGS,
    "testbed.plan": PLAN,
    "testbed.replay": (*EXPERIMENT, *PLAN),
    "testbed.run": (*EXPERIMENT, *PLAN, "testbed.registry"),
    "testbed.sweep": RUN,
    "testbed.compare": RUN,
    "testbed.bench": RUN,
    "testbed.web": RUN,
    "testbed.shell": SHELL,
    "testbed.exec": EXEC,
    "testbed.report": REPORT,
    "testbed.labs": (*REPORT, "controller.api"),
    "testbed.command": COMMAND,
    "testbed": (),
    "scenarios.shared": (*EXPERIMENT, "testbed.api"),
    "scenarios": ("testbed.api", "scenarios.shared"),
    "benchmarks": (
        *COMMAND,
        "testbed.api",
        "controller.openflow",
        "controller.process",
        "controller.process.garbage",
    ),
}
"""Which rooms a room's modules may import besides their own. The longest name that fits is a module's room."""

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("controller", "topologies", "testbed", "scenarios", "benchmarks")
    for path in sorted(ROOT.glob(f"{package}/**/*.py"))
}


def imports(module: str) -> set[str]:
    """Return every module that a module imports, wherever in it; of ours the submodule that a name stands for."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else node.module for name in whole}
    return found


def room(module: str) -> str:
    """Return the room that a module is in."""
    return max((each for each in MAY_IMPORT if f"{module}.".startswith(f"{each}.")), key=len)


def importers(of: str, within: str = "") -> list[str]:
    """Return the modules below a package that import a module or anything in it."""
    return [
        name
        for name in FILES
        if name.startswith(within) and any(f"{each}.".startswith(f"{of}.") for each in imports(name))
    ]


def test_there_is_something_to_look_at() -> None:
    """An empty list would agree with everything."""
    assert len(FILES) > 200
    assert "controller.nat.model" in imports("controller.nat.translator")


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_from_the_rooms_that_its_own_has_a_door_to(module: str) -> None:
    """No folder imports upward, at run time or for types."""
    own = room(module)
    wrong = {other for other in imports(module) if other in FILES and room(other) not in (own, *MAY_IMPORT[own])}

    assert wrong == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for types: whatever two modules need of each other is a third one."""
    graph = {module: {other for other in imports(module) if other in FILES} for module in FILES}

    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("controller.nat")])
def test_the_nat_core_imports_only_the_standard_library_and_itself(name: str) -> None:
    """No clock, no socket, no framework can be needed by it."""
    foreign = {
        module
        for module in imports(name)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not f"{module}.".startswith("controller.nat.")
    }

    assert foreign == set()


@pytest.mark.parametrize(
    "module", ["time", "datetime", "socket", "select", "threading", "asyncio", "logging", "os"]
)
def test_the_nat_core_does_no_io_and_never_asks_what_time_it_is(module: str) -> None:
    """Time is an argument, randomness comes from a generator that is handed in, and nothing is logged."""
    assert importers(module, "controller.nat") == []


@pytest.mark.parametrize("framework", ["ryu", "os_ken", "eventlet"])
def test_one_file_alone_knows_the_framework(framework: str) -> None:
    """To use another framework, change `framework.py`."""
    ours = [name for name in importers(framework) if not name.startswith("benchmarks.")]

    assert set(ours) <= {"controller.openflow.framework"}


@pytest.mark.parametrize(
    "name",
    [name for name in FILES if name != "controller.openflow.framework" and not name.startswith("benchmarks.")],
)
def test_no_other_file_names_a_framework_s_module(name: str) -> None:
    """Not in a string either, such as for `import_module`."""
    strings = [
        node.value
        for node in ast.walk(ast.parse(FILES[name].read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert [text for text in strings if text.startswith(("ryu.", "os_ken"))] == []


@pytest.mark.parametrize(
    "name",
    ["pipeline", "router", "switch", "frames", "icmp", "answers", "neighbours", "ageing", "statistics"],
)
def test_all_of_openflow_but_its_edge_can_be_imported_without_a_framework(name: str) -> None:
    """What decides needs no switch: only what makes, sends and receives messages meets the framework."""
    assert importers("controller.openflow.framework", f"controller.openflow.{name}") == []
    assert importers("controller.openflow.messages", f"controller.openflow.{name}") == []


def test_nothing_of_the_product_imports_a_test() -> None:
    """Tests know the product, and the product no test."""
    assert importers("tests") == []


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, each in KINDS.items() for name in each.ours])
def test_each_name_of_a_registry_leads_to_a_class_of_that_name(kind: str, name: str) -> None:
    """It derives from its kind's base; where a class has a name of its own, it is that one."""
    cls = found(KINDS[kind].ours[name])

    assert issubclass(cls, found(KINDS[kind].base))
    assert getattr(cls, "name", name) == name
