"""Reading what a user has written as YAML: one value of `--set`, or a `--config` file.

It is YAML with less surprise than PyYAML's. A number is what its digits say: `1:30` is no number of sixties, and
`010` is ten. A key that is there twice is refused, and so are references, by which a short text could stand for a
huge value. A file is a regular one of a limited size, so that reading it ends.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from controller.settings import ConfigurationError

MOST_BYTES = 256 << 10
"""Bytes of a file at most: thousands of settings. To read them takes some seconds."""
UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)
"""What reading YAML raises: ValueError for a date that does not exist, RecursionError for deeply nested lists."""

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FRACTION = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.nan$"
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, without references, keys that are there twice, and numbers of sixties."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Make a node of what comes next, unless that is a reference."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "a reference (*) is not possible", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return a mapping, in which each key is there once."""
        keys: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is there twice; write it once", key.start_mark
                )
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: Any) -> int:
        """Return an integer; zeros before it change nothing."""
        digits = node.value.replace("_", "")
        based = digits.lstrip("+-")[:2] in ("0b", "0x")
        return int(digits, 0) if based else int(digits)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INT, _FLOAT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, _FRACTION, list("-+0123456789."))
_Loader.add_constructor(_INT, _Loader.construct_integer)


def value_of(text: str) -> Any:
    """Return the value that a text stands for. Raises one of UNREADABLE."""
    return yaml.load(text, _Loader)


def values_in(path: Path) -> dict[str, Any]:
    """Return the values in a file, by their keys. Raises ConfigurationError."""
    try:
        values = value_of(_text_of(path))
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror}") from None
    except UNREADABLE as error:
        raise ConfigurationError(f"--config {path} is not a YAML file: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(f"--config {path}: write one `key: value` on each line")
    return values


def _text_of(path: Path) -> str:
    """Return what a regular file holds. Raises ConfigurationError for anything else, or if it is too long."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer must not wait
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigurationError(f"--config {path} is no regular file; write the settings into one")
        read = file.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise ConfigurationError(f"--config {path} has more than {MOST_BYTES:,} bytes; write a shorter file")
    return read.decode()
