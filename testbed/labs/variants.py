"""Each student's own numbers: drawn by HMAC-SHA-256 of the course's key over lab, student and the number's name.

Nothing is stored: the same key, lab and student give the same numbers on every machine and with every version of
Python. A number that a later version adds changes none of the others. Without the key nobody can find a student's
numbers, or the seeds that a submission is graded with.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.settings import ConfigurationError
from testbed.labs.lab import Lab

LEAST_KEY = 16
"""The bytes that a key has at least."""
Variant = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Course:
    """What numbers are drawn with: the key of a course, or None for the sheet's own numbers and known seeds."""

    key: bytes | None = None
    file: Path | None = field(default=None, compare=False)
    """Where the key is, which no submission may see."""

    def drawn(self, lab: Lab, student: str, name: str) -> int:
        """Return a number of 256 bits for a name."""
        message = json.dumps([lab.number, normal(student), name]).encode()
        return int.from_bytes(hmac.digest(self.key or b"", message, hashlib.sha256))

    def variant(self, lab: Lab, student: str | None) -> Variant:
        """Return the numbers of a student; without a key or a student, those of the sheet."""
        if self.key is None or student is None:
            return {name: number.sheet for name, number in lab.variant.items()}
        found = {}
        for name, number in lab.variant.items():
            values = number.values()
            found[name] = values[self.drawn(lab, student, name) % len(values)]
        return found

    def seeds(self, lab: Lab, student: str | None) -> list[int]:
        """Return the seeds of a grading: hidden with a key, and always the same without one."""
        return [self.drawn(lab, student or "", f"seed {number}") for number in range(lab.seeds)]


def normal(student: str) -> str:
    """Return a student's name as it is drawn with: without capitals, spaces around it and composed accents."""
    return unicodedata.normalize("NFC", student.strip()).casefold()


def course(key: Path | None) -> Course:
    """Return the course of a key's file. Raises ConfigurationError for a file that is no key, or no secret."""
    if key is None:
        return Course()
    try:
        with key.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 16).strip()
    except OSError as error:
        raise ConfigurationError(f"--key {key} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"--key {key} can be read or written by others; what to do: chmod 600 {key}")
    if len(content) < LEAST_KEY:
        raise ConfigurationError(
            f"--key {key} has {len(content)} bytes, and needs at least {LEAST_KEY}; what to do: "
            f"head -c 32 /dev/urandom | base64 > {key}"
        )
    return Course(content, key)
