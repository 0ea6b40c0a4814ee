"""A class of one's own in place of a name: `FILE.py`, or `FILE.py:Class` where the file has several.

The class derives from the abstract base class of its kind. What it lacks of that is reported before anything
starts. Only classes that the file itself defines count, so it may import ours. Each process loads the file for
itself, by its absolute path, and again only if it has changed.

To load a file is to execute it. So before a run that happens in a child that has no rights, and in a run in its
sandbox: whoever calls this has to be there (`testbed/run/strangers.py`).
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from controller.settings.checking import ConfigurationError
from controller.settings.contracts import lacks

Returned = TypeVar("Returned")


def is_file(name: str) -> bool:
    """Whether a name is that of a file, and not one of ours."""
    return name.partition(":")[0].endswith(".py")


def absolute(name: str) -> str:
    """Return a name that means the same in any folder."""
    file, colon, wanted = name.partition(":")
    return f"{Path(file).resolve()}{colon}{wanted}" if is_file(name) else name


def own_class(kind: str, name: str, base: type, *, importing: str) -> Any:
    """Return the class that FILE.py or FILE.py:Class stands for: the only one there that derives from `base`.

    `importing` is how a file gets the base class, such as `from controller.api import Policy`. Raises
    ConfigurationError if there is no such class, or if it lacks something.
    """
    file, _, wanted = name.partition(":")
    classes = _classes(kind, file)
    found = [cls for cls in classes if issubclass(cls, base) and wanted in ("", cls.__name__)]
    if len(found) != 1:
        raise ConfigurationError(f"{kind} {name!r}: {_not_found(classes, found, wanted, base, file, importing)}")
    missing = lacks(found[0], base)
    if missing:
        raise ConfigurationError(
            f"{kind} {name!r}: class {found[0].__name__} is not yet one; it has to have: {'; '.join(missing)}"
        )
    return found[0]


def tried(what: str, call: Callable[..., Returned], *arguments: object) -> Returned:
    """Call what a stranger has written, which may fail in any way, and return what it returns.

    Raises ConfigurationError, which begins with `what`: what was tried.
    """
    try:
        return call(*arguments)
    except ConfigurationError:
        raise
    except MemoryError:
        raise ConfigurationError(f"{what}: it needs more memory than a file of one's own may have") from None
    except BaseException as error:  # it may leave, too, or raise what Ctrl-C raises
        raise ConfigurationError(f"{what}: {type(error).__name__}: {error}") from error


def _not_found(classes: list[type], found: list[type], wanted: str, base: type, file: str, importing: str) -> str:
    """Say why none of a file's classes is the one, or why several may be, and what to write."""
    called = importing.split()[-1]
    if found:
        names = ", ".join(cls.__name__ for cls in found)
        return f"the file has {len(found)} classes derived from {called} ({names}); say which one as {file}:Class"
    derived = ", ".join(cls.__name__ for cls in classes if issubclass(cls, base))
    meant = [cls for cls in classes if cls.__name__ == wanted] if wanted else classes
    if len(meant) > 1:
        meant = [cls for cls in meant if not lacks(cls, base)]
    if len(meant) == 1:
        name = meant[0].__name__
        return f"class {name} does not derive from {called}; write `{importing}`, and `class {name}({called}):`"
    if derived:
        return f"the file has no class {wanted} derived from {called}; it has {derived}"
    return f"the file has no class derived from {called}; write `{importing}`, and `class Mine({called}):`"


def _classes(kind: str, file: str) -> list[type]:
    module = _module(kind, Path(file))
    own = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
    return list(dict.fromkeys(own))  # a class may have two names


def _module(kind: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"{kind} {str(path)!r}: there is no such file")
    facts = path.stat()
    return tried(f"{kind} {str(path)!r}", _executed, path, (facts.st_ino, facts.st_size, facts.st_mtime_ns))


@functools.cache
def _executed(path: Path, _state: tuple[int, ...]) -> ModuleType:
    """Return the module that a file in this state makes."""
    spec = importlib.util.spec_from_file_location(f"lastport_{path.stem}", path)
    assert spec is not None
    loader = spec.loader
    assert loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    loader.exec_module(module)
    return module
