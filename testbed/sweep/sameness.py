"""What has to be the same on every machine of a cluster: lastport, Python, its packages, and files of one's own.

Results of two versions are no results of one experiment. `code` covers what no commit tells: changes that are not
committed.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from testbed.run.packages import installed
from testbed.run.version import version

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("controller", "topologies", "testbed", "scenarios")
MISSING = "missing"

Facts = dict[str, str]


def facts(files: Sequence[str] = ()) -> Facts:
    """Return what is so in this process; `files` are those of one's own, by their whole paths."""
    return {**_own(), **{f"file {file}": _digest(Path(file)) for file in files}}


@cache
def _own() -> Facts:
    number, commit = version()
    packages = {f"package {name}": each for name, each in installed().items()}
    return {
        "lastport": number,
        "commit": commit or "unknown",
        "code": _code(),
        "Python": platform.python_version(),
        **packages,
    }


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    """Yield, for each fact that is not the same, what it is there and here."""
    for name in dict.fromkeys([*here, *there]):
        ours, theirs = here.get(name, MISSING), there.get(name, MISSING)
        if ours != theirs:
            yield f"{name} is {theirs} there, and {ours} here"


def _code() -> str:
    """Return a digest of all that decides what a point's results are."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(CHECKOUT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return MISSING
