"""What a user wants to run, and as whom."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.exec.wanted import (
    Wanted,
    as_user,
    current_folder,
    environment,
    require_hosts,
    user_of,
    wanted,
)
from testbed.run.choices import Choices
from testbed.run.resolve import resolve

NOBODY = pwd.getpwnam("nobody")


def test_the_command_of_the_line_comes_last() -> None:
    """`--at` has a shell, and the command itself none."""
    assert wanted([("bob", "echo $x")], ["ls", "-l"]) == [
        Wanted("bob", ("/bin/sh", "-c", "echo $x")),
        Wanted("", ("ls", "-l")),
    ]


def test_something_has_to_be_wanted() -> None:
    """The way out has an example."""
    with pytest.raises(ConfigurationError, match="-- curl"):
        wanted([], [])


def test_a_host_that_is_not_there_is_refused_first() -> None:
    """Before the network is built."""
    plan = resolve("exec", "openflow", Choices(sets=["clients=2"], by_command=True), datapath="userspace")

    require_hosts(plan, wanted([("bob", "true"), ("mirror", "true")], ["true"]))
    with pytest.raises(ConfigurationError, match="carol"):
        require_hosts(plan, wanted([("carol", "true")], []))


def test_under_sudo_the_calling_user_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root itself is nobody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert user_of(None) is None

    monkeypatch.setenv("SUDO_UID", str(NOBODY.pw_uid))
    assert user_of(None) == NOBODY
    assert as_user(NOBODY).uid == NOBODY.pw_uid


def test_only_root_becomes_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own user is no other."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)

    assert user_of("nobody") == NOBODY
    with pytest.raises(ConfigurationError, match="only root"):
        user_of("root")
    with pytest.raises(ConfigurationError, match="no such user"):
        user_of("nosuchuser")


def test_a_program_has_its_user_s_environment() -> None:
    """What the launcher set for its own Python is gone, and what the user had set is back."""
    given = {
        **{"PATH": "/bin", "PYTHONPATH": "/checkout", "_LASTPORT_USERS_PYTHONPATH": "/mine", "HOME": "/root"},
        **{"_LASTPORT_CALLED": "./lastport", "SUDO_UID": "1000"},
    }

    assert environment(given, None) == {"PATH": "/bin", "PYTHONPATH": "/mine", "HOME": "/root", "SUDO_UID": "1000"}
    assert environment(given, NOBODY) == {
        **{"PATH": "/bin", "PYTHONPATH": "/mine", "HOME": NOBODY.pw_dir},
        **{"USER": "nobody", "LOGNAME": "nobody", "SHELL": NOBODY.pw_shell},
    }


def test_a_folder_that_no_program_can_be_in_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone, or in the part of the machine that a sandbox has for itself."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert current_folder() == str(gone)
    gone.rmdir()
    with pytest.raises(ConfigurationError, match="is gone; take"):
        current_folder()

    monkeypatch.chdir("/run")
    with pytest.raises(ConfigurationError, match="take a folder elsewhere"):
        current_folder()
