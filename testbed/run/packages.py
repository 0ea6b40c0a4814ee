"""The Python packages of lastport's environment, and those that its lists ask for.

The lists in `vagrant/python-packages/` are locks: each has exact versions, with the hashes of their files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LISTS = Path(__file__).resolve().parents[2] / "vagrant" / "python-packages"
ALWAYS = "run"
"""The list of what every environment has. Of the others it has what it needs."""
IF_ANY = ("ryu", "os-ken", "test", "cluster")


def installed() -> dict[str, str]:
    """Return the version of each package in the environment, by its name; without the distribution's own."""
    infos = Path(sys.prefix).glob("lib/python3*/site-packages/*.dist-info")
    found = [info.stem.rpartition("-") for info in infos]
    return dict(sorted((_canonical(name), version) for name, _, version in found))


def locked(name: str) -> dict[str, str]:
    """Return the version of each package in a list, by its name."""
    lines = (LISTS / f"{name}.txt").read_text().splitlines()
    pins = [line.split()[0].split("==") for line in lines if line[:1].isalnum()]
    return {_canonical(package): version for package, version in pins}


def differing() -> Iterator[str]:
    """Yield, for each package of the environment that is not as the lists have it, what it is and should be."""
    have = installed()
    wanted = {package: version for name in IF_ANY for package, version in locked(name).items() if package in have}
    for package, version in sorted({**wanted, **locked(ALWAYS)}.items()):
        if have.get(package) != version:
            yield f"{package} is {have.get(package, 'missing')}, not {version}"


def _canonical(name: str) -> str:
    """Return a package's name as the lists have it."""
    return re.sub(r"[-_.]+", "-", name).lower()
