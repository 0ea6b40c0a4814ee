"""A student's own class in place of a name: `FILE.py`, or `FILE.py:Class` where the file has several.

Only classes that the file itself defines count, so it may import ours. An allocator or a policy need not derive
from anything: it must have what the protocols in `controller.nat` ask for, and that is checked before anything
starts. The controller is a process of its own and loads the file again, by its absolute path.
"""

from __future__ import annotations

import importlib.util
import inspect
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.exhaustion.policy import Policy
from controller.settings.checking import ConfigurationError


@dataclass(frozen=True, slots=True)
class Shape:
    """What a class must have to be one of a kind: methods, each with its parameters, and a flag."""

    kind: str
    methods: dict[str, tuple[str, ...]]
    flag: str

    def lacks(self, cls: type) -> list[str]:
        """Return what a class does not have, as it would have to be written."""
        missing = [] if isinstance(getattr(cls, self.flag, None), bool) else [f"{self.flag} = False (or True)"]
        for name, parameters in self.methods.items():
            if not _takes(getattr(cls, name, None), parameters):
                missing.append(f"def {name}({', '.join(('self', *parameters))})")
        return missing


ALLOCATOR = Shape(
    "allocator",
    {"__init__": ("plan",), "__len__": (), "allocate": ("internal", "now"), "release": ("port", "now")},
    flag="by_subscriber",
)
POLICY = Shape("policy", {"__init__": (), "decide": ("shortage",)}, flag="evicts")


def allocator(name: str, *, ports: range, port_set_size: int, port_set_timeout: float) -> type[Allocator]:
    """Return the allocator that `name` stands for, after a trial with these ports. Raises ConfigurationError."""
    if name in ALLOCATORS:
        return ALLOCATORS[name]
    cls: type[Allocator] = _of_shape(ALLOCATOR, name)
    plan = PortPlan(ports, random.Random(0), port_set_size, port_set_timeout)
    _try(f"allocator {name!r} cannot be made", lambda: len(cls(plan)))
    return cls


def policy(name: str) -> type[Policy]:
    """Return the policy that `name` stands for. Raises ConfigurationError."""
    if name in POLICIES:
        return POLICIES[name]
    cls: type[Policy] = _of_shape(POLICY, name)
    _try(f"policy {name!r} cannot be made", cls)
    return cls


def is_file(name: str) -> bool:
    """Whether a name is one of a file, and not one of ours."""
    return name.partition(":")[0].endswith(".py")


def absolute(name: str) -> str:
    """Return a name that means the same in any folder."""
    file, colon, wanted = name.partition(":")
    return f"{Path(file).resolve()}{colon}{wanted}" if is_file(name) else name


def own_class(kind: str, name: str, *, fits: Callable[[type], bool], described: str) -> type:
    """Return the class that FILE.py or FILE.py:Class stands for: the only one that fits.

    `described` says in the message what fits. Raises ConfigurationError.
    """
    file, _, wanted = name.partition(":")
    found = [cls for cls in _classes(kind, file) if fits(cls) and (not wanted or cls.__name__ == wanted)]
    if len(found) != 1:
        raise ConfigurationError(
            f"{kind} {name!r}: the file has {len(found) or 'no'} such classes {described}; "
            f"say which one as {file}:Class"
        )
    return found[0]


def _of_shape(shape: Shape, name: str) -> Any:
    """Find a class by its shape; one that is named, or alone in its file, is told what it lacks."""
    file, _, wanted = name.partition(":")
    classes = _classes(shape.kind, file)
    of_that_name = [cls for cls in classes if cls.__name__ == wanted] if wanted else classes
    found = [cls for cls in of_that_name if not shape.lacks(cls)]
    if not found and len(of_that_name) == 1:
        lacking = "; ".join(shape.lacks(of_that_name[0]))
        raise ConfigurationError(
            f"{shape.kind} {name!r}: class {of_that_name[0].__name__} is not yet one; it has to have: {lacking}"
        )
    if len(found) != 1:
        raise ConfigurationError(
            f"{shape.kind} {name!r}: the file has {len(found) or 'no'} such classes that could be one "
            f"({', '.join(cls.__name__ for cls in classes) or 'none at all'}); say which one as {file}:Class"
        )
    return found[0]


def _classes(kind: str, file: str) -> list[type]:
    module = _module(kind, Path(file))
    own = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
    return list(dict.fromkeys(own))  # a class may have two names


def _module(kind: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"{kind} {str(path)!r}: there is no such file")
    spec = importlib.util.spec_from_file_location(f"lastport_{path.stem}", path)
    assert spec is not None
    loader = spec.loader
    assert loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    _try(f"{kind} {str(path)!r}", lambda: loader.exec_module(module))
    return module


def _try(what: str, trial: Callable[[], object]) -> None:
    """Call what a student has written, which may fail in any way."""
    try:
        trial()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{what}: {type(error).__name__}: {error}") from error


def _takes(method: object, parameters: tuple[str, ...]) -> bool:
    """Whether a method can be called with so many arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(None, *parameters)
    except TypeError:
        return False
    except ValueError:  # it is not written in Python, and does not say
        return True
    return True
