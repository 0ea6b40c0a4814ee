"""Write the lists in `python-packages/` anew, with the newest versions that pyproject.toml allows.

    vagrant/python vagrant/renew.py

It asks pip what it would install, and downloads that once, for the sizes that an installation prints at its start.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[1]
LISTS = CHECKOUT / "vagrant" / "python-packages"
HEADINGS = {
    "run": "What running needs: what pyproject.toml depends on, with what that needs.",
    "os-ken": "os-ken, Ryu's maintained fork, in addition: the fallback, and tested beside Ryu.",
    "test": "What tests and linters need in addition.",
}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""The versions that the lists are for: each has wheels of all that is listed."""
BYTECODE = 1.5
"""What an environment takes on disk, with bytecode, to one of the bare files."""

Needs = dict[str, set[str]]


def name_of(requirement: str) -> str:
    """Return the name of the package that a requirement is about, as the lists have it."""
    return canonicalize_name(Requirement(requirement).name)


def applies(requirement: str) -> bool:
    """Whether a declared requirement holds on one of `PYTHONS`, without extras."""
    marker = Requirement(requirement).marker
    versions = [{"python_version": each, "python_full_version": f"{each}.0", "extra": ""} for each in PYTHONS]
    return marker is None or any(map(marker.evaluate, versions))


def left_out() -> set[tuple[str, str]]:
    """Return the pairs of a package and of what it declares and does not get."""
    lines = (LISTS / "left-out.txt").read_text().splitlines()
    return {(name_of(line.split()[0]), name_of(line.split()[1])) for line in lines if line[:1] not in ("", "#")}


def closure(names: Iterable[str], needs: Needs, without: set[tuple[str, str]]) -> set[str]:
    """Return the packages of these names, with all that they need and get."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [need for need in needs[name] if (name, need) not in without]
    return found


def pip(*arguments: str) -> str:
    """Run the distribution's pip, as the environment has none."""
    (wheel,) = glob("/usr/share/python-wheels/pip-*.whl")
    command = [sys.executable, f"{wheel}/pip", *arguments, "--quiet", "--no-cache-dir", "--only-binary", ":all:"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def resolve(requirements: list[str]) -> tuple[dict[str, str], Needs]:
    """Return the version of each package that is needed, and what each needs, on any of `PYTHONS`."""
    report = json.loads(pip("install", "--dry-run", "--ignore-installed", "--report", "-", *requirements))
    described: list[dict[str, Any]] = [item["metadata"] for item in report["install"]]
    versions: dict[str, str] = {canonicalize_name(each["name"]): each["version"] for each in described}
    declared = {each["name"]: list(filter(applies, each.get("requires_dist", []))) for each in described}
    # pip knows what this Python needs, and not what another one does.
    for others in declared.values():
        if lacking := [each for each in others if name_of(each) not in versions]:
            return resolve([*requirements, *(each.split(";")[0] for each in lacking)])
    return versions, {canonicalize_name(name): set(map(name_of, needed)) for name, needed in declared.items()}


def sizes(pins: list[str]) -> tuple[int, int]:
    """Return the kilobytes that these packages take to download, and on disk."""
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--dest", folder, *pins)
        wheels = list(Path(folder).glob("*.whl"))
        unpacked = sum(each.file_size for wheel in wheels for each in zipfile.ZipFile(wheel).infolist())
        return sum(wheel.stat().st_size for wheel in wheels) // 1000, int(unpacked * BYTECODE) // 1000


def main() -> None:
    """Write the lists of `HEADINGS`."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {
        "run": project["dependencies"] + [each for each in extras["ryu"] if name_of(each) != "ryu"],
        "os-ken": extras["os-ken"],
        "test": extras["test"],
    }
    versions, needs = resolve([*itertools.chain(*asked.values())])
    listed: set[str] = set()
    for name, requirements in asked.items():
        packages = closure(map(name_of, requirements), needs, left_out()) - listed
        listed |= packages
        pins = sorted(f"{package}=={versions[package]}" for package in packages)
        download, disk = sizes(pins)
        size = f"size: {download} kB to download, {disk} kB on disk"
        text = [f"# {HEADINGS[name]}", "# Made by vagrant/renew.py; every version is exact.", f"# {size}", *pins]
        (LISTS / f"{name}.txt").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
