"""The version and the commit, with git and without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.vagrant.conftest import Checkout

NO_GIT = ["readlink", "sed", "cut", "cat", "awk", "sh"]
VERSION = "0.1.0"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it prints."""
    names = ["-c", "user.name=A", "-c", "user.email=a@example.net", "-c", "commit.gpgsign=false"]
    command = ["git", *names, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(checkout: Checkout) -> str:
    """The commit of a checkout that git knows."""
    git(checkout.folder, "init", "--quiet")
    git(checkout.folder, "add", ".")
    git(checkout.folder, "commit", "--quiet", "--message", "first")
    return git(checkout.folder, "rev-parse", "--short=7", "HEAD")


def version(checkout: Checkout, folder: Path | None = None, *, with_git: bool = True) -> str:
    """Return what version.sh prints, on a machine that has git or has none."""
    path = os.environ["PATH"]
    if not with_git:
        path = str(checkout.programs)
        for name in NO_GIT:
            (checkout.programs / name).unlink(missing_ok=True)
            (checkout.programs / name).symlink_to(str(shutil.which(name)))
    script = (folder or checkout.folder) / "vagrant" / "version.sh"
    return subprocess.run(
        ["/bin/sh", str(script)], env={"PATH": path}, check=True, capture_output=True, text=True
    ).stdout.rstrip("\n")


@pytest.mark.parametrize("with_git", [True, False])
def test_the_version_comes_with_the_commit(checkout: Checkout, commit: str, with_git: bool) -> None:
    """Git need not be installed."""
    assert version(checkout, with_git=with_git) == f"{VERSION} {commit}"


@pytest.mark.parametrize("with_git", [True, False])
def test_a_worktree_and_packed_references_have_a_commit(
    checkout: Checkout, commit: str, with_git: bool, tmp_path: Path
) -> None:
    """In a worktree `.git` is a file, and after `git gc` no branch is."""
    git(checkout.folder, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "tree")
    git(checkout.folder, "pack-refs", "--all")

    assert version(checkout, tmp_path / "tree", with_git=with_git) == f"{VERSION} {commit}"


def test_a_changed_file_makes_the_commit_dirty(checkout: Checkout, commit: str) -> None:
    """The commit alone would be a lie."""
    (checkout.folder / "lastport").write_text("exit")

    assert version(checkout) == f"{VERSION} {commit}-dirty"


def test_a_copy_inside_another_repository_has_no_commit(checkout: Checkout, tmp_path: Path) -> None:
    """The commit of the repository around it is not its own."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "my checkout")
    git(tmp_path, "commit", "--quiet", "--message", "around")

    assert version(checkout) == VERSION


def test_another_users_checkout_is_looked_at_as_well(checkout: Checkout, commit: str) -> None:
    """Under sudo it is the calling user's, and git would refuse it if it were not named."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    (checkout.folder / "lastport").write_text("exit")
    for path in (checkout.folder, *checkout.folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)

    assert version(checkout) == f"{VERSION} {commit}-dirty"
