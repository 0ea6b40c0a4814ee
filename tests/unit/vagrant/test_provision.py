"""What is said and refused before anything is installed. Installing itself needs a bare machine and a network."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from testbed.sandbox.enter import NAMESPACES
from tests.unit.vagrant.conftest import Checkout

AS_NOBODY = ["unshare", "--user"]
"""A user other than root, who may still read this test's files."""


def provision(checkout: Checkout, *before: str, purpose: str = "run") -> subprocess.CompletedProcess[str]:
    """Run the provisioning. For tests it refuses nobody, since some tests need no lab."""
    return checkout.run(*before, "bash", "vagrant/provision.sh", purpose)


def lack(checkout: Checkout) -> None:
    """Have the checkout need a program that no machine has."""
    with (checkout.folder / "vagrant" / "programs.txt").open("a") as file:
        file.write("no-such-program  no-such-package  lab\n")


@pytest.fixture
def as_nobody() -> list[str]:
    """A command before another one that makes it a user other than root."""
    if subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no user namespaces")
    return AS_NOBODY


def test_it_does_nothing_where_all_is_there(checkout: Checkout) -> None:
    """Run again, it needs no network."""
    environment = checkout.make()
    done = provision(checkout)

    assert done.returncode == 0
    assert done.stderr == f"lastport: ready, nothing to do: {environment}\n"


def test_too_small_a_disk_is_refused_with_the_figures(checkout: Checkout) -> None:
    """Before anything is downloaded."""
    checkout.program("df", "#!/bin/sh\nprintf 'Avail\\n 1500\\n'\n")
    done = provision(checkout, purpose="test")

    assert done.returncode == 3
    assert "the disk is too small. " in done.stderr
    assert "1.5 MB free" in done.stderr
    assert not (checkout.store / "environments").exists()


def test_an_installation_says_first_what_it_costs(checkout: Checkout) -> None:
    """Packages, bytes, and time; here it ends there, as the disk is too small."""
    checkout.program("df", "#!/bin/sh\nprintf 'Avail\\n 1500\\n'\n")
    done = provision(checkout, purpose="test")

    lists = [
        checkout.folder / "vagrant" / "python-packages" / name
        for name in ("run.txt", "ryu.txt", "os-ken.txt", "test.txt")
    ]
    packages = sum(file.read_text().count("==") for file in lists)
    assert f"lastport: installing {packages} Python packages, once for every checkout" in done.stderr
    assert " MB to download, " in done.stderr


def test_a_user_who_lacks_packages_is_sent_to_root_at_once(checkout: Checkout, as_nobody: list[str]) -> None:
    """Nothing is put into the home folder first."""
    lack(checkout)
    done = provision(checkout, *as_nobody)

    assert done.returncode == 3
    assert "not installed on this machine: no-such-package." in done.stderr
    assert (
        f"What to do, once: sudo {checkout.folder}/vagrant/provision.sh run".replace(" c", "\\ c") in done.stderr
    )
    assert not checkout.store.exists()


def test_a_user_who_could_run_no_lab_is_sent_to_root_at_once(checkout: Checkout, as_nobody: list[str]) -> None:
    """Not after the installation."""
    checkout.program("unshare", "#!/bin/sh\necho 'unshare: not for you' >&2\nexit 1\n")
    done = provision(checkout, "/usr/bin/unshare", *as_nobody[1:])

    assert done.returncode == 3
    assert "only root can run a lab on this machine: unshare: not for you." in done.stderr
    assert not checkout.store.exists()


def test_the_namespaces_that_are_tried_are_those_of_a_lab(checkout: Checkout) -> None:
    """Two languages, one list."""
    done = checkout.run("bash", "-c", '. vagrant/waiting.sh; echo "${namespaces[@]}"')

    assert done.stdout.split() == NAMESPACES


def test_a_second_installation_waits_and_says_for_whom(checkout: Checkout) -> None:
    """Then it uses what the first one made."""
    checkout.store.mkdir(parents=True)
    lock, turn = checkout.store / "lock", checkout.store / "turn"
    turn.write_text(f"{os.getpid()}\tann\t12:31:05\tlastport run release\n")
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            ["bash", "vagrant/provision.sh", "test", "lastport", "test"],
            cwd=checkout.folder,
            env={**os.environ, **checkout.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr is not None
        first = waiting.stderr.readline()
        environment = checkout.make("test")
    told = waiting.communicate()[1]

    who = f"ann (process {os.getpid()}), who installs this since 12:31:05 for: lastport run release"
    assert first == f"lastport: waiting for {who}\n"
    assert told == f"lastport: ready, nothing to do: {environment}\n"
    assert turn.read_text().endswith("\tlastport test\n")
    assert lock.stat().st_mode & 0o077 == 0, "any user can hold it"


@pytest.mark.parametrize(
    ("written", "kilobytes"),
    [("850 kB", 850), ("12.3 MB", 12300), ("1.5 GB", 1500000), ("976 B", 1), ("15 MB", 15000)],
)
def test_sizes_are_read_as_apt_and_pip_write_them(checkout: Checkout, written: str, kilobytes: int) -> None:
    """All of them decimal."""
    done = checkout.run("bash", "-c", f'. vagrant/progress.sh; read_size "{written}"; echo "$kilobytes"')

    assert done.stdout == f"{kilobytes}\n"


def test_an_environment_that_nobody_used_for_a_month_goes_and_others_stay(checkout: Checkout) -> None:
    """`used` is the time of the last start by its owner, and that of pyvenv.cfg stands for the others."""
    mine = checkout.make()
    ages = {"forgotten": (99, 99), "started": (1, 99), "read": (99, 1)}
    for name, (used, read) in ages.items():
        folder = mine.parent / name
        folder.mkdir()
        for file, days in (("used", used), ("pyvenv.cfg", read)):
            (folder / file).touch()
            subprocess.run(["touch", "-d", f"-{days} days", folder / file], check=True)
    asking = "checkout=$PWD; . vagrant/environment.sh; . vagrant/waiting.sh; locate_environment"
    checkout.run("bash", "-c", f"{asking}; remove_old_environments")

    assert {folder.name for folder in mine.parent.iterdir()} == {mine.name, "started", "read"}


def test_the_packages_that_come_with_us_are_noted_with_those_of_before(checkout: Checkout) -> None:
    """Before they are installed, as an interrupted installation leaves some of them."""
    noted = Path(f"{checkout.everybodys}-packages")
    noted.parent.mkdir(parents=True, exist_ok=True)
    noted.write_text("mininet\n")
    asking = ". vagrant/packages.sh; new_packages=(tcpdump coturn); note_packages"
    checkout.run("bash", "-c", f"checkout=$PWD; . vagrant/environment.sh; {asking}")

    assert noted.read_text() == "coturn\nmininet\ntcpdump\n"
