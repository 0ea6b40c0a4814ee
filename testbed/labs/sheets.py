"""The sheet as a student gets it: the same text for all, with each student's own numbers in it."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.labs.lab import Lab
from testbed.labs.variants import Course, Variant


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


def listed(labs: Iterable[Lab], course: Course, names: Iterable[str]) -> list[list[str]]:
    """Return a table of the variants: a line for each student, after one with the names of the numbers."""
    labs = list(labs)
    heading = ["student", *(f"{lab.number} {name}" for lab in labs for name in lab.variant)]
    rows = [
        [student, *(str(value) for lab in labs for value in course.variant(lab, student).values())]
        for student in names
    ]
    return [heading, *rows]
