"""What a user writes as YAML is read as it is written, and reading a file ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.run.written import MOST_BYTES, UNREADABLE, value_of, values_in


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("12:30:45.5", "12:30:45.5"),
        ("010", 10),
        ("08", 8),
        ("0x10", 16),
        ("0b11", 3),
        ("-5", -5),
        ("1_000", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0e+3", 1000.0),
        (".inf", float("inf")),
        ("true", True),
        ("", None),
        ("[1, a]", [1, "a"]),
        ("{a: 1, b: {a: 2}}", {"a": 1, "b": {"a": 2}}),
    ],
)
def test_a_value_is_what_its_digits_say(text: str, value: Any) -> None:
    """There are no numbers of sixties, and no octal ones that do not look it."""
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ports: 1, ports: 2}", "'ports' is there twice"),
        ("{a: {ports: 1, ports: 2}}", "'ports' is there twice"),
        ("[&a 1, *a]", "a reference"),
        ("{[1]: 2}", "unhashable key"),
        ("0x_", "invalid literal"),
    ],
)
def test_what_is_ambiguous_cannot_be_read(text: str, reason: str) -> None:
    """A key that is there twice has two values, and references make a huge value of a short text."""
    with pytest.raises(UNREADABLE, match=reason):
        value_of(text)


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused, without its path."""
    with pytest.raises(ConfigurationError) as refused:
        values_in(path)
    return str(refused.value).removeprefix(f"--config {path}")


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    """A pipe may have no writer, and a device no end."""
    os.mkfifo(tmp_path / "pipe")

    no_file = " is no regular file; write the settings into one"
    assert refusal(tmp_path / "pipe") == no_file
    assert refusal(Path("/dev/zero")) == no_file
    assert refusal(tmp_path) == ": Is a directory"
    assert refusal(tmp_path / "none") == ": No such file or directory"


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    """To read 600,000 entries would take minutes."""
    path = tmp_path / "long.yaml"
    path.write_text("ports: 3\n#" + "x" * (MOST_BYTES - 10))
    assert values_in(path) == {"ports": 3}

    path.write_text("ports: 3\n#" + "x" * (MOST_BYTES - 9))
    assert refusal(path) == " has more than 262,144 bytes; write a shorter file"
