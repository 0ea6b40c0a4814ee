"""A checkout of its own with a store of its own, in which the scripts of `vagrant/` can be run without harm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FAKE_PYTHON = """#!/bin/sh
printf '%s\\n' "PYTHONPATH=$PYTHONPATH" "PYTHONPYCACHEPREFIX=$PYTHONPYCACHEPREFIX" "$@"
"""


@dataclass
class Checkout:
    """A copy of the launcher and its scripts, with a `store` of its own and `programs` first in its PATH.

    `everybodys` is in the place of /var/lib/lastport, and for root it is the store.
    """

    folder: Path
    store: Path
    everybodys: Path
    programs: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, asked: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in this checkout."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": path, "HOME": str(self.store.parent), **self.environment},
            input=asked,
            capture_output=True,
            text=True,
            check=False,
        )

    def lastport(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the launcher."""
        return self.run("./lastport", *arguments)

    def located(self, purpose: str = "run") -> Path:
        """Return the environment that the checkout uses, or would make."""
        asking = f'checkout=$PWD; . vagrant/environment.sh; locate_environment {purpose}; echo "$environment"'
        return Path(self.run("sh", "-c", asking).stdout.strip())

    def make(self, purpose: str = "run") -> Path:
        """Make a stand-in for an environment, whose Python prints how it was started, and return it."""
        environment = self.located(purpose)
        (environment / "bin").mkdir(parents=True)
        (environment / "bytecode" / "usr" / "lib").mkdir(parents=True)
        self.program("python", FAKE_PYTHON, folder=environment / "bin")
        (environment / "complete").touch()
        return environment

    def program(self, name: str, text: str, folder: Path | None = None) -> None:
        """Put a program in the place of the machine's."""
        file = (folder or self.programs) / name
        file.write_text(text)
        file.chmod(0o755)


Make = Callable[[str], Checkout]


@pytest.fixture
def make_checkout(tmp_path: Path) -> Make:
    """Return a function that makes a checkout of a name; all have one store."""
    store = tmp_path / "store" / "lastport"
    everybodys = store if os.geteuid() == 0 else tmp_path / "everybodys"
    programs = tmp_path / "programs"
    programs.mkdir()

    def make(name: str) -> Checkout:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copytree(ROOT / "vagrant", folder / "vagrant")
        for file in ("lastport", "pyproject.toml"):
            shutil.copy(ROOT / file, folder)
        script = folder / "vagrant" / "environment.sh"
        script.write_text(script.read_text().replace("everybodys=/var/lib/lastport", f"everybodys='{everybodys}'"))
        return Checkout(folder, store, everybodys, programs, {"XDG_DATA_HOME": str(store.parent)})

    return make


@pytest.fixture
def checkout(make_checkout: Make) -> Checkout:
    """A checkout in a folder with a space in its name."""
    return make_checkout("my checkout")
