"""What vagrant/build-box refuses, and what it leaves where a step fails or it is killed. No box is built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from tests.support.paths import ROOT
from tests.unit.vagrant.conftest import Checkout
from tests.unit.vagrant.test_provision import as_nobody as as_nobody

NEEDED = (
    "bash",
    "sh",
    "cat",
    "df",
    "git",
    "id",
    "ls",
    "readlink",
    "realpath",
    "rm",
    "sed",
    "tail",
    "uname",
    "unshare",
)
"""What the script itself cannot do without, and every machine has."""
GRUB = Path("/usr/lib/grub/i386-pc/boot.img")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root builds a box")


def build(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask for a box."""
    return checkout.run("vagrant/build-box", *arguments)


@pytest.fixture
def able(checkout: Checkout) -> Checkout:
    """A checkout on a machine that has all programs, as far as it is asked."""
    script = checkout.folder / "vagrant" / "build-box"
    keyring = checkout.folder / "keyring"
    keyring.touch()
    text = re.sub(r"(?m)^keyring=.*", f"keyring='{keyring}'", script.read_text())
    script.write_text(re.sub(r"(?m)^grub=.*", f"grub='{checkout.folder}'", text))
    (checkout.folder / "boot.img").touch()
    for name in ("mmdebstrap", "mkfs.ext4", "sfdisk", "qemu-img", "grub-mkimage", "podman"):
        checkout.program(name, "#!/bin/sh\n")
    return checkout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hyperv"], "'hyperv' is not a kind of machine. Take libvirt, virtualbox or oci"),
        (["--tests"], "there is no option --tests. Take --test, or none"),
        (["oci", "a", "b"], "'b' is one argument too many. Take a kind and a file"),
    ],
)
def test_a_wrong_command_is_refused_with_the_way_out(checkout: Checkout, arguments: list[str], words: str) -> None:
    """Before anything is asked of the machine."""
    done = build(checkout, *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"build-box: {words}\n")


def test_its_help_is_what_it_does(checkout: Checkout) -> None:
    """The head of the script, which names every status."""
    done = build(checkout, "--help")

    assert done.returncode == 0
    assert "vagrant/build-box [--test] [libvirt|virtualbox|oci] [FILE]" in done.stdout
    assert done.stdout.rstrip().endswith("4 a step failed, its last lines are shown.")


def test_another_processor_is_refused(able: Checkout) -> None:
    """Nobody has tried to boot what it would build."""
    able.program("uname", "#!/bin/sh\necho aarch64\n")
    done = build(able)

    assert done.returncode == 3
    assert "this machine is aarch64, and boxes are built for amd64 alone. Take 'vagrant up'" in done.stderr


def test_a_user_other_than_root_is_sent_to_sudo(able: Checkout, as_nobody: list[str]) -> None:
    """Its file system has root's files in it."""
    done = able.run(*as_nobody, "vagrant/build-box")

    assert done.returncode == 3
    assert "Take sudo vagrant/build-box" in done.stderr


@root_only
@pytest.mark.parametrize(
    ("kind", "packages"),
    [
        (
            "libvirt",
            "mmdebstrap debian-archive-keyring e2fsprogs fdisk qemu-utils grub-common grub-pc-bin",
        ),
        ("oci", "mmdebstrap debian-archive-keyring podman"),
    ],
)
def test_a_machine_that_lacks_programs_learns_their_packages(checkout: Checkout, kind: str, packages: str) -> None:
    """In one line that can be pasted."""
    few = checkout.folder / "few"
    few.mkdir()
    for name in NEEDED:
        (few / name).symlink_to(str(shutil.which(name)))
    script = checkout.folder / "vagrant" / "build-box"
    script.write_text(re.sub(r"(?m)^(keyring|grub)=.*", r"\1=/nowhere", script.read_text()))
    done = checkout.run("env", f"PATH={few}", str(script), kind)

    assert done.returncode == 3
    assert done.stderr.endswith(f"Take apt-get install --no-install-recommends {packages}\n")


@root_only
def test_too_small_a_disk_is_refused_with_the_figures(able: Checkout) -> None:
    """Before anything is downloaded."""
    able.program("df", "#!/bin/sh\nprintf 'Avail\\n 800\\n'\n")
    done = build(able)

    assert done.returncode == 3
    assert "has 800 MB free, and 5000 are needed. Take a FILE elsewhere" in done.stderr


@root_only
def test_a_step_that_fails_shows_its_last_lines_and_leaves_nothing(able: Checkout) -> None:
    """With a status of its own."""
    able.program("mmdebstrap", "#!/bin/sh\necho E: there is no such suite\nexit 1\n")
    done = build(able, "libvirt", "made.box")

    assert done.returncode == 4
    assert "failed: a Debian with lastport in it. Its last lines:\n    E: there is no such suite\n" in done.stderr
    assert not [*able.folder.glob("made.box*.work"), *able.folder.glob("made.box")]


@pytest.fixture
def of_the_machine() -> Iterator[Path]:
    """A file that is not there and that no build may make."""
    file = Path(f"/etc/box-of-a-test-{os.getpid()}")
    yield file
    file.unlink(missing_ok=True)


@root_only
def test_a_step_can_change_nothing_of_this_machine(able: Checkout, of_the_machine: Path) -> None:
    """As apt would, if it lost the configuration that leads it to the new root."""
    able.program("mmdebstrap", f"#!/bin/sh\ntouch {of_the_machine}\nexit 1\n")
    done = build(able, "libvirt", "made.box")

    assert done.returncode == 4
    assert "Read-only file system" in done.stderr
    assert not of_the_machine.exists()


@dataclass
class Stuck:
    """A build that has mounted something and goes on. `lives` has an end when its last process has ended."""

    process: subprocess.Popen[bytes]
    lives: TextIO


@pytest.fixture
def stuck(able: Checkout, tmp_path: Path) -> Iterator[Stuck]:
    """A build that has begun, as far as its first program."""
    lives = tmp_path / "lives"
    os.mkfifo(lives)
    made = 'for at; do :; done\nmkdir -p "$at"\nmount -t tmpfs box-of-a-test "$at"'
    able.program("mmdebstrap", f"#!/bin/sh\n{made}\nexec 3>'{lives}'\necho >&3\nsleep 1000\n")
    path = f"{able.programs}{os.pathsep}{os.environ['PATH']}"
    command = ["vagrant/build-box", "libvirt", "made.box"]
    started = subprocess.Popen(
        command, cwd=able.folder, env={**os.environ, "PATH": path}, stderr=subprocess.DEVNULL
    )
    with lives.open() as reader:
        reader.readline()
        yield Stuck(started, reader)
        started.kill()
        started.wait()


@root_only
def test_a_build_that_is_killed_leaves_nothing_mounted_and_nothing_running(able: Checkout, stuck: Stuck) -> None:
    """Only its folder stays, which the next build removes."""
    folder = able.folder / "made.box.work"
    assert "box-of-a-test" not in Path("/proc/mounts").read_text(), "it is mounted for everybody"
    stuck.process.kill()

    assert stuck.lives.read() == ""
    assert "box-of-a-test" not in Path("/proc/mounts").read_text()
    assert (folder / "root").is_dir()
    able.program("mmdebstrap", "#!/bin/sh\nexit 1\n")
    assert build(able, "libvirt", "made.box").returncode == 4
    assert not folder.exists()


@root_only
def test_two_builds_of_one_file_do_not_meet(able: Checkout, stuck: Stuck) -> None:
    """The second one is refused, and the first one goes on."""
    done = build(able, "libvirt", "made.box")

    assert done.returncode == 3
    assert done.stderr.endswith("made.box. Take another FILE, or wait for it\n")
    assert stuck.process.poll() is None


@root_only
@pytest.mark.skipif(
    not GRUB.exists() or not shutil.which("qemu-img"), reason="grub-pc-bin or qemu-utils is not here"
)
def test_a_disk_begins_with_what_boots_it(checkout: Checkout) -> None:
    """A partition table, GRUB's two parts, and a file system with the root in it."""
    checkout.program("mmdebstrap", '#!/bin/sh\nfor at; do :; done\nmkdir -p "$at/vagrant"\n')
    done = build(checkout, "libvirt", "made.box")
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "-xf", "made.box"], cwd=checkout.folder, check=True)
    convert = ["qemu-img", "convert", "-O", "raw", "box.img", "disk"]
    subprocess.run(convert, cwd=checkout.folder, check=True)
    with (checkout.folder / "disk").open("rb") as disk:
        begins = disk.read((1 << 20) + 2048)

    assert begins[:440] == GRUB.read_bytes()[:440]
    assert begins[446] == 0x80, "the partition is not marked as the one to boot"
    assert begins[510:512] == b"\x55\xaa"
    assert begins[512:1024].strip(b"\0"), "nothing follows the first sector"
    assert begins[(1 << 20) + 1024 + 0x38 :][:2] == b"\x53\xef", "there is no file system"


def test_a_box_has_a_file_for_each_kind() -> None:
    """Which Vagrant reads."""
    assert {file.name for file in (ROOT / "vagrant" / "box").glob("Vagrantfile.*")} == {
        "Vagrantfile.libvirt",
        "Vagrantfile.virtualbox",
    }
