"""What tests/vagrant/run refuses. What it does needs Vagrant, libvirt and half an hour."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.unit.vagrant.test_provision import as_nobody as as_nobody

RUN = ROOT / "tests" / "vagrant" / "run"
NEEDED = ("bash", "cat", "readlink", "realpath", "rm", "sed", "unshare")
FILE = "a.box"
NAMES = "Take those that ./lastport list scenarios prints, with commas between"


def drive(folder: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Ask for a run in a folder."""
    command = [str(RUN), *arguments]
    return subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--box", FILE], "there is no box 'a.box'. Take one that vagrant/build-box --test has built"),
        (["--box"], "there is no box ''. Take one that vagrant/build-box --test has built"),
        (["--keep"], "there is no option --keep. Take --box FILE, --quick or --scenarios NAME,..."),
        (["--scenarios", "churn,tetris"], f"there is no scenario 'tetris'. {NAMES}"),
        (["--scenarios"], f"there is no scenario ''. {NAMES}"),
        (["a", "b"], "'b' is one argument too many. Take one FOLDER"),
    ],
)
def test_a_wrong_command_is_refused_with_the_way_out(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Before anything is asked of the machine."""
    done = drive(tmp_path, *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tests/vagrant/run: {words}\n")
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.geteuid() != 0, reason="a user other than root is sent to sudo first")
def test_a_machine_without_vagrant_and_qemu_learns_the_packages(tmp_path: Path) -> None:
    """All in one line that can be pasted, and nothing is made."""
    few = tmp_path / "few"
    few.mkdir()
    for name in NEEDED:
        (few / name).symlink_to(str(shutil.which(name)))
    done = drive(few, path=str(few))

    assert done.returncode == 3
    assert done.stderr == (
        "tests/vagrant/run: this machine lacks what it drives. Take apt-get install --no-install-recommends "
        "vagrant libvirt-daemon-system libvirt-clients dnsmasq-base rsync qemu-system-x86 iproute2 procps "
        "openssh-client vagrant-libvirt\n"
    )
    assert sorted(each.name for each in few.iterdir()) == sorted(NEEDED)


def test_a_user_other_than_root_is_sent_to_sudo(tmp_path: Path, as_nobody: list[str]) -> None:
    """It makes namespaces of the machine's kind."""
    done = subprocess.run(
        [*as_nobody, str(RUN)], cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ)
    )

    assert done.returncode == 3
    assert "Take sudo " in done.stderr
