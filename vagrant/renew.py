"""Write the lists in `python-packages/` anew, with the newest versions that pyproject.toml allows.

    vagrant/python vagrant/renew.py
    PIP_CONSTRAINT=FILE vagrant/python vagrant/renew.py          keeps to the versions in a file

It asks pip what it would install, for the versions and for the hash of each wheel that one of the supported
Pythons may get. It downloads one of each package, for the sizes that an installation prints at its start.
`wheels.txt` has the names of what the hashes are of, as `sha256sum` writes them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
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
    "cluster": "What work on many machines needs in addition to running.",
    "os-ken": "os-ken, Ryu's maintained fork, in addition: the fallback, and tested beside Ryu.",
    "test": "What tests and linters need in addition.",
}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""The versions that the lists are for: each has wheels of all that is listed."""
MACHINES = ["x86_64", "aarch64"]
PLATFORMS = [*(f"manylinux_2_{glibc}" for glibc in range(41, 16, -1)), "manylinux2014"]
"""The platforms of wheels that run on Debian 13, whose C library is 2.41, in the order in which pip prefers them.
A test holds that the wheels found so run on Debian 12 as well."""
BY_HAND = ["ryu-build", "ryu"]
"""The lists whose versions are chosen by hand: only their hashes are written anew."""
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


def pip(*arguments: str, **variables: str) -> str:
    """Run the distribution's pip, as the environment has none."""
    (wheel,) = glob("/usr/share/python-wheels/pip-*.whl")
    kind = [] if "--no-binary" in arguments else ["--only-binary", ":all:"]
    command = [sys.executable, f"{wheel}/pip", *arguments, "--quiet", "--no-cache-dir", *kind]
    environment = {**os.environ, **variables}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


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


def pinned(name: str) -> list[str]:
    """Return the packages of a list, each with its version."""
    lines = (LISTS / f"{name}.txt").read_text().splitlines()
    return [line.split()[0] for line in lines if line[:1].strip() not in ("", "#")]


def made_from(project: dict[str, Any]) -> str:
    """Return a hash of all that the lists are made from."""
    asked = [project["dependencies"], project["optional-dependencies"], PYTHONS, MACHINES]
    texts = [
        json.dumps(asked, sort_keys=True),
        (LISTS / "left-out.txt").read_text(),
        *map(str, map(pinned, BY_HAND)),
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def wheels(pins: list[str]) -> dict[str, dict[str, str]]:
    """Return the hash of each wheel that one of `PYTHONS` gets on one of `MACHINES`, by package and file name."""
    found: dict[str, dict[str, str]] = {}
    exact = {"PIP_CONSTRAINT": os.devnull}
    for python, machine in itertools.product(PYTHONS, MACHINES):
        platforms = [word for each in PLATFORMS for word in ("--platform", f"{each}_{machine}")]
        target = ["--target", "/nowhere", "--python-version", python, "--implementation", "cp", *platforms]
        report = pip(
            "install", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-", *target, *pins, **exact
        )
        for item in json.loads(report)["install"]:
            name, come = canonicalize_name(item["metadata"]["name"]), item["download_info"]
            file = come["url"].rpartition("/")[2]
            found.setdefault(name, {})[file] = come["archive_info"]["hashes"]["sha256"]
    return found


def source(pin: str) -> dict[str, str]:
    """Return the hash of a package of which there is no wheel, by its file name. Nothing of it is executed."""
    with tempfile.TemporaryDirectory() as folder:
        path = {"PYTHONPATH": str(CHECKOUT / "vagrant" / "no-build"), "PIP_CONSTRAINT": os.devnull}
        options = ["--no-build-isolation", "--use-pep517", "--no-binary", ":all:", "--no-deps", "--dest", folder]
        pip("download", *options, pin, **path)
        (file,) = Path(folder).iterdir()
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}


def files_of(packages: Iterable[str], hashes: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the hash of each file of these packages, by its name."""
    return {file: digest for package in packages for file, digest in hashes[package].items()}


def locked(pins: list[str], hashes: dict[str, dict[str, str]]) -> list[str]:
    """Return the lines of a list: each package with its version and its hashes."""
    lines = []
    for pin in pins:
        each = sorted(set(hashes[name_of(pin)].values()))
        lines += [" \\\n    ".join([pin, *(f"--hash=sha256:{digest}" for digest in each)])]
    return lines


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
        "cluster": extras["cluster"],
        "os-ken": extras["os-ken"],
        "test": extras["test"],
    }
    versions, needs = resolve([*itertools.chain(*asked.values())])
    listed: set[str] = set()
    hashes = wheels([f"{package}=={version}" for package, version in versions.items()])
    files: dict[str, str] = {}
    origin = f"# made from: {made_from(project)}"
    for name, requirements in asked.items():
        packages = closure(map(name_of, requirements), needs, left_out()) - listed
        listed |= packages if name != "cluster" else set()  # an environment for tests has none of it
        pins = sorted(f"{package}=={versions[package]}" for package in packages)
        files |= files_of(packages, hashes)
        download, disk = sizes(pins)
        size = f"size: {download} kB to download, {disk} kB on disk"
        text = [f"# {HEADINGS[name]}", "# Made by vagrant/renew.py; every version is exact.", origin, f"# {size}"]
        (LISTS / f"{name}.txt").write_text("\n".join([*text, *locked(pins, hashes)]) + "\n")
    for name in BY_HAND:
        pins = pinned(name)
        hashes = wheels(pins) if name == "ryu-build" else {name_of(pin): source(pin) for pin in pins}
        files |= files_of(hashes, hashes)
        path = LISTS / f"{name}.txt"
        text = [line for line in path.read_text().splitlines() if line.startswith("#")]
        path.write_text("\n".join([*text, *locked(pins, hashes)]) + "\n")
    lines = [f"{digest}  {file}" for file, digest in sorted(files.items())]
    (LISTS / "wheels.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
