"""The kernel's settings in the namespaces of a running lab, for the results: as they are read there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from topologies.network.nodes import LabNode
from topologies.network.sysctls import EVERYWHERE, read_sysctls


def in_force(nodes: Iterable[Any]) -> dict[str, Any]:
    """Return the settings in one node of each class, and those in which a class differs from the first one.

    Nodes of one class are made alike. A setting of the table that the kernel does not have is missing.
    """
    first_of_each = {type(node): node for node in reversed([*nodes])}
    read = {node.name: _read(node) for node in first_of_each.values() if isinstance(node, LabNode)}
    usual = next(iter(reversed(read.values())), {})
    otherwise = {
        name: {key: value for key, value in settings.items() if value != usual.get(key)}
        for name, settings in read.items()
    }
    return {
        "everywhere": usual,
        "otherwise": {name: settings for name, settings in otherwise.items() if settings},
        "missing": [key for key in EVERYWHERE if key not in usual],
    }


def _read(node: LabNode) -> dict[str, str]:
    if node.namespace is None:
        return read_sysctls(EVERYWHERE)
    with node.namespace.entered():
        return read_sysctls(EVERYWHERE)
