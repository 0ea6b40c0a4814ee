"""What a user wants to run: commands on hosts, and as whom. Wrong wishes are refused before anything starts."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.settings import ConfigurationError, unknown_key
from controller.settings.extensions import is_file
from testbed.experiment.plan import Run, network_of_size
from testbed.experiment.programs import users_own
from testbed.registry import load
from testbed.sandbox.program import User

SHELL = "/bin/sh"
OF_SUDO = ("SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command on a host; an empty name stands for the first host inside."""

    host: str
    command: tuple[str, ...]


def wanted(at: list[tuple[str, str]], command: list[str]) -> list[Wanted]:
    """Return what is to be run: what `--at` says, by a shell, and last the command of the line itself, if any."""
    found = [Wanted(host, (SHELL, "-c", line)) for host, line in at]
    found += [Wanted("", tuple(command))] if command else []
    if not found:
        raise ConfigurationError(
            "there is nothing to run; write a command behind two hyphens (-- curl http://server/), or "
            "--at HOST 'COMMAND'"
        )
    return found


def require_hosts(plan: Run, asked: Iterable[Wanted]) -> None:
    """Raise ConfigurationError for a host that is not there, as far as that is known before the network is built.

    A topology of a user's own is not imported here.
    """
    if is_file(plan.topology):
        return
    built = load("topology", plan.topology)(**network_of_size(plan.parameters))
    for each in asked:
        if each.host and each.host not in (*built.clients, *built.servers):
            raise ConfigurationError(
                f"--at {each.host}: {unknown_key(each.host, [*built.clients, *built.servers], kind='host')}"
            )


def user_of(name: str | None) -> pwd.struct_passwd | None:
    """Return the user that programs run as: of this name, else the one who called sudo; None: this process's.

    Raises ConfigurationError if there is none of this name, or only root could change to it.
    """
    if name is None:
        caller = os.environ.get("SUDO_UID")
        if os.geteuid() or not caller or not caller.isdecimal():
            return None
        try:
            return pwd.getpwuid(int(caller))
        except KeyError:
            return None
    try:
        found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise ConfigurationError(f"--as {name}: there is no such user; `getent passwd` lists all") from None
    if os.geteuid() not in (0, found.pw_uid):
        raise ConfigurationError(f"--as {name}: only root can run programs as another user; put sudo before it")
    return found


def current_folder() -> str:
    """Return the folder that programs begin in. Raises ConfigurationError if no program can be there."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        raise ConfigurationError("the current folder is gone; take another one (cd)") from None
    if Path("/run") in (Path(folder), *Path(folder).parents):
        raise ConfigurationError(f"{folder}: a lab has a /run of its own; take a folder elsewhere (cd)")
    return folder


def as_user(found: pwd.struct_passwd | None) -> User | None:
    """Return a user by the numbers of user and groups; None stays None."""
    if found is None:
        return None
    return User(found.pw_uid, found.pw_gid, tuple(os.getgrouplist(found.pw_name, found.pw_gid)))


def environment(given: Mapping[str, str], found: pwd.struct_passwd | None) -> dict[str, str]:
    """Return a program's environment: the user's own, as it was before the launcher added to it."""
    own = users_own(given)
    if found is None:
        return own
    others = {name: value for name, value in own.items() if name not in OF_SUDO}
    who = {"HOME": found.pw_dir, "USER": found.pw_name, "LOGNAME": found.pw_name, "SHELL": found.pw_shell}
    return {**others, **who}
