"""A folder that refuses what a virtual machine's synced folder refuses, as VirtualBox's does on a Windows host.

A file that is open can be neither removed nor renamed, nor can another take its place. There are no files without
a name, no links, no owners and no modes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def refuse(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a folder refuse, and return the refusals, which grow as they come."""
    refused: list[str] = []

    def is_inside(target: object) -> bool:
        path = Path(
            os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fsdecode(str(target))
        )
        return folder in (path.absolute(), *path.absolute().parents)

    def is_open(path: object) -> bool:
        descriptors = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
        return str(Path(str(path)).absolute()) in [
            os.readlink(each) for each in descriptors if os.path.islink(each)
        ]

    def patch(name: str, error: int, refuses: Callable[..., bool]) -> None:
        real = getattr(os, name)

        def patched(*arguments: Any, **options: Any) -> Any:
            if refuses(*arguments):
                refused.append(name)
                raise OSError(error, os.strerror(error), str(arguments[0]))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, patched)

    def no_name(path: object, flags: int, *_: object) -> bool:
        return flags & os.O_TMPFILE == os.O_TMPFILE and is_inside(path)

    patch("open", errno.EOPNOTSUPP, no_name)
    for name in ("unlink", "remove"):
        patch(name, errno.ETXTBSY, lambda path: is_inside(path) and is_open(path))
    for name in ("rename", "replace"):
        patch(name, errno.ETXTBSY, lambda one, other: is_inside(one) and (is_open(one) or is_open(other)))
    for name in ("link", "symlink"):
        patch(name, errno.EPERM, lambda _, made: is_inside(made))
    for name in ("chmod", "fchmod", "chown", "fchown"):
        patch(name, errno.EPERM, lambda target, *_: is_inside(target))
    return refused
