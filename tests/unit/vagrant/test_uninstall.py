"""`lastport uninstall` removes what is ours, and names the packages that came with us and no others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.vagrant.conftest import Checkout

INSTALLED = """#!/bin/sh
printf 'ii %s\\n' mininet python3 tcpdump bash
printf 'rc iperf\\n'
"""
APT_GET = """#!/bin/sh
# Removing python3 would remove a program of the user's.
case " $* " in *' python3 '*) echo 'Purg hamster [1.0]' ;; esac
"""
APT_CACHE = """#!/bin/sh
printf 'hamster\\n  Depends: python3\\n'
"""


@pytest.fixture
def noted(checkout: Checkout) -> Path:
    """The file that says which packages came with us, on a machine with some of them."""
    checkout.program("dpkg-query", INSTALLED)
    checkout.program("apt-get", APT_GET)
    checkout.program("apt-cache", APT_CACHE)
    checkout.make()
    file = Path(f"{checkout.everybodys}-packages")
    file.write_text("iperf\nmininet\npython3\ntcpdump\n")
    return file


def test_all_of_ours_is_shown_and_removed(checkout: Checkout) -> None:
    """Also what earlier versions left."""
    (checkout.store / "main-f2af6c09" / "661546447e15").mkdir(parents=True)
    environment = checkout.make()
    done = checkout.lastport("uninstall", "--yes")

    assert done.returncode == 0, done.stderr
    assert str(environment) in done.stdout
    assert str(checkout.store / "main-f2af6c09") in done.stdout
    assert not checkout.store.exists()
    assert (checkout.folder / "lastport").exists()


def test_nothing_is_removed_unasked(checkout: Checkout) -> None:
    """Without a terminal there is nobody to ask."""
    environment = checkout.make()
    done = checkout.lastport("uninstall")

    assert done.returncode == 2
    assert "lastport uninstall --yes" in done.stderr
    assert environment.exists()


def test_an_environment_in_use_is_not_removed(checkout: Checkout) -> None:
    """The process is named."""
    environment = checkout.make()
    user = subprocess.Popen([str(environment / "bin" / "python"), "60"], executable="/bin/sleep")
    try:
        done = checkout.lastport("uninstall", "--yes")
    finally:
        user.kill()
        user.wait()

    assert done.returncode == 3
    assert f"process {user.pid}: " in done.stderr
    assert environment.exists()


def test_only_packages_that_came_with_us_and_that_nothing_else_needs_are_named(
    checkout: Checkout, noted: Path
) -> None:
    """One that is gone already is not, nor one that a package of the user's needs by now."""
    done = checkout.lastport("uninstall", "--yes")

    assert "apt-get purge mininet tcpdump\n" in done.stdout
    assert "  sudo apt-get" not in done.stdout or os.geteuid() != 0
    assert noted.exists()


def test_under_sudo_the_command_has_sudo_as_well(checkout: Checkout, noted: Path) -> None:
    """The user who called is not root at the next prompt."""
    checkout.environment["SUDO_USER"] = "root"
    done = checkout.lastport("uninstall", "--yes")

    assert "  sudo apt-get purge mininet tcpdump\n" in done.stdout


def test_folders_are_counted_once_and_summed(checkout: Checkout) -> None:
    """A folder is listed where no other is in it."""
    environment = checkout.make()
    (checkout.store / "logs").mkdir()
    done = checkout.lastport("uninstall", "--yes")

    listed = [line.split("\t")[1] for line in done.stdout.splitlines() if "\t" in line]
    assert listed == [str(environment), str(checkout.store / "logs"), f"{checkout.store} in all"]


def test_the_note_goes_with_the_last_package(checkout: Checkout, noted: Path) -> None:
    """Then nothing is left of us."""
    if os.geteuid() != 0:
        pytest.skip("the note is root's")
    noted.write_text("iperf\n")
    done = checkout.lastport("uninstall", "--yes")

    assert "apt-get" not in done.stdout
    assert not noted.exists()


def test_a_wrong_option_removes_nothing(checkout: Checkout) -> None:
    """It is named."""
    environment = checkout.make()
    done = checkout.lastport("uninstall", "--yes", "--all")

    assert done.returncode == 2
    assert "--all" in done.stderr
    assert environment.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may remove what is everybody's")
def test_folders_of_other_users_are_named_and_stay(checkout: Checkout, tmp_path: Path) -> None:
    """Root removes no file in another user's home."""
    theirs = tmp_path / "ann" / ".local" / "share" / "lastport"
    theirs.mkdir(parents=True)
    checkout.make()
    checkout.program("getent", f"#!/bin/sh\n[ $# = 2 ] || echo ann:x:1234:1234::{tmp_path}/ann:/bin/sh\n")
    done = checkout.lastport("uninstall", "--yes")

    assert done.returncode == 0, done.stderr
    assert f"{theirs} is ann's." in done.stdout
    assert theirs.exists()
