"""The packages of the environment, and how they differ from the locks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testbed.run import doctor, packages


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an environment with what is always needed in the place of this one; return its folder of packages."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    folder = tmp_path / "lib" / "python3.13" / "site-packages"
    for package, version in {**packages.locked("run"), **packages.locked("ryu")}.items():
        (folder / f"{package.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    return folder


def test_an_environment_as_the_locks_have_it_differs_in_nothing(environment: Path) -> None:
    """Nor does one without the tests' packages, or with the distribution's own beside it."""
    assert list(packages.differing()) == []
    assert packages.installed() == {**packages.locked("run"), **packages.locked("ryu")}
    assert doctor._packages().ok


def test_a_package_that_was_changed_by_hand_is_named(environment: Path) -> None:
    """With its version, and the one that it should have."""
    version = packages.locked("run")["pydantic-core"]
    (environment / f"pydantic_core-{version}.dist-info").rename(environment / "pydantic_core-99.1.dist-info")
    (environment / f"rich-{packages.locked('run')['rich']}.dist-info").rmdir()
    (environment / "scapy-1.0.dist-info").mkdir()

    finding = doctor._packages()

    assert (finding.ok, finding.required) == (False, False)
    assert finding.found == (
        f"pydantic-core is 99.1, not {version}; rich is missing, not {packages.locked('run')['rich']}; "
        f"scapy is 1.0, not {packages.locked('test')['scapy']}"
    )
    assert finding.advice == f"remove {sys.prefix}, which the next command makes anew"


def test_results_have_the_version_of_every_package() -> None:
    """Of this environment, which has the tests' as well."""
    assert packages.locked("run").items() <= packages.installed().items()
    assert packages.locked("test").items() <= packages.installed().items()
