"""The sheet as a student gets it: the same text for all, with each student's own numbers in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from controller.settings import ConfigurationError
from testbed.labs.lab import Lab
from testbed.labs.variants import Course, Variant

HEADINGS = ("student", "id", "login", "email", "username")
"""What the first cell of a class's CSV file is, if its first line is a heading."""


def text(lab: Lab, variant: Variant) -> str:
    """Return the sheet with these numbers."""
    return own(lab, variant, lab.sheet.read_text())


def own(lab: Lab, variant: Variant, sheet: str) -> str:
    """Return a part of a sheet with these numbers."""
    changed = [
        (form.format(number.sheet), form.format(variant[name]))
        for name, number in lab.variant.items()
        for form in number.printed
    ]
    for mark, (old, _) in enumerate(changed):  # in two steps, so that no number is taken for another's
        sheet = sheet.replace(old, f"\0{mark}\0")
    for mark, (_, new) in enumerate(changed):
        sheet = sheet.replace(f"\0{mark}\0", new)
    return sheet


def students(path: Path) -> list[str]:
    """Return the students of a class: the first cell of each line of a CSV file. Raises ConfigurationError."""
    try:
        rows = [
            row for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))) if row and row[0].strip()
        ]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    names = [row[0].strip() for row in rows]
    if names and names[0].casefold() in HEADINGS:
        names = names[1:]
    if not names:
        raise ConfigurationError(f"{path} names no student: write one a line, in the first cell")
    return names


def listed(labs: Iterable[Lab], course: Course, names: Iterable[str]) -> list[list[str]]:
    """Return a table of the variants: a line for each student, after one with the names of the numbers."""
    labs = list(labs)
    heading = ["student", *(f"{lab.number} {name}" for lab in labs for name in lab.variant)]
    rows = [
        [student, *(str(value) for lab in labs for value in course.variant(lab, student).values())]
        for student in names
    ]
    return [heading, *rows]
