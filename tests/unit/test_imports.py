"""Who may import whom: the layers, read from the import statements of every module."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "topologies", "scenarios")
FILES = {
    path.relative_to(ROOT).as_posix(): path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")
}


def imports(file: Path) -> set[str]:
    """Return every module that a file imports, wherever in it, with the names taken from it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def importers(of: str, within: str = "") -> list[str]:
    """Return the files below a folder that import a module or anything in it."""
    return [
        name
        for name, file in FILES.items()
        if name.startswith(within) and any(f"{found}.".startswith(f"{of}.") for found in imports(file))
    ]


def test_there_is_something_to_look_at() -> None:
    """An empty list would agree with everything."""
    assert len(FILES) > 40
    assert "controller.nat.model" in imports(FILES["controller/nat/translator.py"])


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("controller/nat/")])
def test_the_nat_core_imports_only_the_standard_library_and_itself(name: str) -> None:
    """No clock, no socket, no framework can be needed by it."""
    foreign = {
        module
        for module in imports(FILES[name])
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not f"{module}.".startswith("controller.nat.")
    }

    assert foreign == set()


@pytest.mark.parametrize(
    "module", ["time", "datetime", "socket", "select", "threading", "asyncio", "logging", "os"]
)
def test_the_nat_core_does_no_io_and_never_asks_what_time_it_is(module: str) -> None:
    """Time is an argument, randomness comes from a generator that is handed in, and nothing is logged."""
    assert importers(module, "controller/nat/") == []


@pytest.mark.parametrize("framework", ["ryu", "os_ken", "eventlet"])
def test_one_file_alone_knows_the_framework(framework: str) -> None:
    """Who wants another framework changes `framework.py`."""
    assert set(importers(framework)) <= {"controller/openflow/framework.py"}


@pytest.mark.parametrize("name", [name for name in FILES if name != "controller/openflow/framework.py"])
def test_no_other_file_names_a_framework_s_module(name: str) -> None:
    """Not in a string either, such as for `import_module`."""
    strings = [
        node.value
        for node in ast.walk(ast.parse(FILES[name].read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert [text for text in strings if text.startswith(("ryu.", "os_ken"))] == []


@pytest.mark.parametrize(
    ("folder", "module"),
    [
        ("controller/", "topologies"),
        ("controller/", "scenarios"),
        ("controller/", "mininet"),
        ("topologies/", "scenarios"),
        ("topologies/", "controller.openflow"),
        ("scenarios/", "controller.openflow"),
        ("scenarios/", "controller.telemetry"),
        ("", "tests"),
    ],
)
def test_an_arrow_that_must_not_be(folder: str, module: str) -> None:
    """The lower layer does not know the upper one, and nobody outside knows the controller's OpenFlow."""
    assert importers(module, folder) == []


@pytest.mark.parametrize(
    "name",
    ["pipeline", "router", "switch", "frames", "icmp", "answers", "neighbours", "ageing", "statistics"],
)
def test_all_of_openflow_but_its_edge_can_be_imported_without_a_framework(name: str) -> None:
    """What decides needs no switch: only what makes, sends and receives messages meets the framework."""
    assert importers("controller.openflow.framework", f"controller/openflow/{name}.py") == []
    assert importers("controller.openflow.messages", f"controller/openflow/{name}.py") == []
