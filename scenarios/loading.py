"""Finding what a name stands for: one of ours, or a student's `FILE.py` or `FILE.py:Class`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from controller.configuration import ConfigurationError, unknown_key
from scenarios.base import Scenario
from scenarios.catalogue import SCENARIOS
from topologies import TOPOLOGIES
from topologies.base import LabTopology
from topologies.gateways import GATEWAYS
from topologies.gateways.base import Gateway

KINDS: dict[str, tuple[dict[str, Any], type]] = {
    "scenario": (SCENARIOS, Scenario),
    "topology": (TOPOLOGIES, LabTopology),
    "gateway": (GATEWAYS, Gateway),
}
"""What can be loaded: the registry of ours, and the class that every one extends."""


def load(kind: str, name: str) -> Any:
    """Return the class that `name` stands for. Raises ConfigurationError if there is none."""
    registry, base = KINDS[kind]
    if name in registry:
        return registry[name]
    file, _, wanted = name.partition(":")
    if not file.endswith(".py"):
        raise ConfigurationError(f"{unknown_key(name, list(registry), kind=kind)} (or give FILE.py:Class)")
    found = [
        cls
        for cls in vars(_module(kind, Path(file))).values()
        if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == f"lastport_{Path(file).stem}"
    ]
    if wanted:
        found = [cls for cls in found if cls.__name__ == wanted]
    if len(found) != 1:
        raise ConfigurationError(
            f"{kind} {name!r}: the file has {len(found) or 'no'} such classes derived from {base.__name__}; "
            f"say which one as {file}:Class"
        )
    return found[0]


def absolute(name: str) -> str:
    """Return a name that means the same in any folder."""
    file, colon, wanted = name.partition(":")
    return f"{Path(file).resolve()}{colon}{wanted}" if file.endswith(".py") else name


def _module(kind: str, path: Path) -> Any:
    if not path.is_file():
        raise ConfigurationError(f"{kind} {str(path)!r}: there is no such file")
    spec = importlib.util.spec_from_file_location(f"lastport_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a student's file may fail in any way
        raise ConfigurationError(f"{kind} {str(path)!r}: {type(error).__name__}: {error}") from error
    return module
