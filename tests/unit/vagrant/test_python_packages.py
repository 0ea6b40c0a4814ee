"""The lists of exact versions fit pyproject.toml, are complete, and have all that the product imports."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import runpy
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from testbed.run.packages import locked
from tests.support.paths import ROOT

LISTS = ROOT / "vagrant" / "python-packages"
FOR_TESTS = ("run", "ryu", "os-ken", "test")
LOCKS = (*FOR_TESTS, "cluster")
ON_A_CLUSTER = {"distributed"}
"""What the product imports only with an environment for clusters, in `testbed/sweep/cluster.py`."""
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
    return dict(pin for name in lists for pin in locked(name).items())


RUN = versions("run", "ryu")
ALL = versions(*FOR_TESTS)
"""What the environment has that tests run in."""


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
        (EXTRAS["cluster"], versions("cluster")),
    ],
    ids=["run", "os-ken", "test", "cluster"],
)
def test_the_lists_fit_what_pyproject_asks_for(asked: list[str], listed: dict[str, str]) -> None:
    """`vagrant/python vagrant/renew.py` makes them anew."""
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(listed[canonicalize_name(requirement.name)]), requirement


def hashes() -> dict[str, set[str]]:
    """Return the hashes of each package in any list."""
    found: dict[str, set[str]] = {}
    for name in (*LOCKS, "ryu-build"):
        text = (LISTS / f"{name}.txt").read_text().replace("\\\n", " ")
        for line in filter(lambda line: line[:1].isalnum(), text.splitlines()):
            pin, *options = line.split()
            found[pin] = {option.removeprefix("--hash=sha256:") for option in options}
    return found


def files() -> dict[str, str]:
    """Return the name of the file that each hash is of."""
    lines = (LISTS / "wheels.txt").read_text().splitlines()
    return dict(line.split() for line in lines)


def test_the_locks_are_made_from_what_is_asked_for_now() -> None:
    """`vagrant/python vagrant/renew.py` makes them anew, and with PIP_CONSTRAINT keeps to the versions."""
    made_from = runpy.run_path(str(ROOT / "vagrant" / "renew.py"))["made_from"](PROJECT)

    for name in ("run", "os-ken", "test", "cluster"):
        assert f"# made from: {made_from}" in (LISTS / f"{name}.txt").read_text().splitlines(), name


def test_every_hash_is_of_a_file_that_is_named() -> None:
    """And every file that is named is in a lock."""
    assert {digest for of_one in hashes().values() for digest in of_one} == files().keys()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_a_wheel_of_each_package_whose_hash_is_locked(python: str, machine: str) -> None:
    """On Debian 12, whose C library is older than that of Debian 13."""
    version = tuple(map(int, python.split(".")))
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(17, 37)] + [f"manylinux2014_{machine}"]
    fitting = {*cpython_tags(version, platforms=platforms), *compatible_tags(version, platforms=platforms)}
    names = files()
    lacking = [
        pin
        for pin, digests in hashes().items()
        if not pin.startswith("ryu==")
        and not any(parse_wheel_filename(names[digest])[3] & fitting for digest in digests)
    ]

    assert lacking == []


def test_pip_takes_nothing_whose_hash_is_not_locked() -> None:
    """Wherever an environment is made, and where Ryu is built."""
    script = (ROOT / "vagrant" / "make-environment.sh").read_text().replace("\\\n", " ")
    taking = [line for line in script.splitlines() if "python-packages/" in line and "run_pip" in line]

    assert len(taking) == 2
    assert all("--require-hashes" in line for line in taking)
    assert "options+=(--require-hashes" in script


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
    known = {*PRODUCT, *sys.stdlib_module_names, *ON_A_CLUSTER}
    theirs = {name for name in names if name.split(".")[0] not in known}
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


def test_only_one_module_imports_what_an_ordinary_installation_has_not() -> None:
    """In functions, so that all others can import that module."""
    files = [file for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")]
    importing = {file for file in files if any(f"from {each} import" in file.read_text() for each in ON_A_CLUSTER)}

    assert importing == {ROOT / "testbed" / "sweep" / "cluster.py"}
    assert importlib.import_module("testbed.sweep.cluster").LAB == "lab"


def test_what_clusters_need_is_a_list_of_its_own() -> None:
    """It has nothing that running has, and an ordinary installation has nothing of it."""
    assert {"dask", "distributed"} <= versions("cluster").keys()
    assert not {*versions("cluster")} & {*RUN}
    assert not {"dask", "distributed"} & {*ALL}
