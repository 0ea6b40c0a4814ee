"""The lists of exact versions fit pyproject.toml, are complete, and have all that the product imports."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LISTS = ROOT / "vagrant" / "python-packages"
PRODUCT = ("controller", "topologies", "testbed", "scenarios", "benchmarks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

WITH_WHAT_RUNNING_HAS = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"{name} is not in python-packages/run.txt")

sys.meta_path.insert(0, Missing())
import controller.openflow.app
for name in sys.argv[2].split():
    if not name.startswith("mininet"): # it patches nothing, and does not like what eventlet patched
        importlib.import_module(name)
"""


def versions(*lists: str) -> dict[str, str]:
    """Return the versions in these lists, by name."""
    lines = [line for name in lists for line in (LISTS / f"{name}.txt").read_text().splitlines()]
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


RUN = versions("run", "ryu")
ALL = versions("run", "ryu", "os-ken", "test")


def left_out() -> set[tuple[str, str]]:
    """Return the pairs of a package and of what it declares and does not get."""
    lines = [
        line.split() for line in (LISTS / "left-out.txt").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    return {(canonicalize_name(package), canonicalize_name(declared)) for package, declared, *_ in lines}


def declared(package: str) -> list[Requirement]:
    """Return what an installed package declares that it needs on one of `PYTHONS`."""
    requirements = map(Requirement, importlib.metadata.requires(package) or [])
    pythons = [{"python_version": each, "python_full_version": f"{each}.0", "extra": ""} for each in PYTHONS]
    return [each for each in requirements if each.marker is None or any(map(each.marker.evaluate, pythons))]


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        (PROJECT["dependencies"] + EXTRAS["ryu"], RUN),
        (EXTRAS["os-ken"], versions("os-ken")),
        (EXTRAS["test"], ALL),
    ],
    ids=["run", "os-ken", "test"],
)
def test_the_lists_fit_what_pyproject_asks_for(asked: list[str], listed: dict[str, str]) -> None:
    """`vagrant/python vagrant/renew.py` makes them anew."""
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(listed[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("package", ALL)
def test_all_that_a_package_needs_is_listed_or_left_out_with_a_reason(package: str) -> None:
    """No resolver looks at it when an environment is made."""
    for need in declared(package):
        name = canonicalize_name(need.name)
        in_which = RUN if package in RUN else ALL
        if (package, name) not in left_out():
            assert name in in_which, need
            assert need.specifier.contains(in_which[name]), need


@pytest.mark.parametrize("package", ALL)
def test_the_environment_has_the_version_that_is_listed(package: str) -> None:
    """And not the distribution's."""
    assert importlib.metadata.version(package) == ALL[package]


def test_what_is_left_out_is_declared() -> None:
    """A package that no longer declares it is no longer named."""
    assert left_out() == {
        (package, canonicalize_name(need.name))
        for package in ALL
        for need in declared(package)
        if (package, canonicalize_name(need.name)) in left_out()
    }


def test_the_product_imports_only_what_running_has() -> None:
    """Tests have more than users, who alone would miss a module. Imports in functions count as well."""
    files = [file for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")]
    statements = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    names = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module for node in statements if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    theirs = {name for name in names if name.split(".")[0] not in {*PRODUCT, *sys.stdlib_module_names}}
    modules = importlib.metadata.packages_distributions()
    only_for_tests = {
        module
        for module, packages in modules.items()
        if {canonicalize_name(each) for each in packages} & {*ALL} - {*RUN, "os-ken"}
    }
    command = [sys.executable, "-P", "-W", "ignore", "-c", WITH_WHAT_RUNNING_HAS, " ".join(only_for_tests)]
    done = subprocess.run([*command, " ".join(sorted(theirs))], capture_output=True, text=True, check=False)

    assert "pytest" in only_for_tests
    assert "pydantic" in theirs
    assert done.returncode == 0, done.stderr
